"""Tests of handler/aws."""
