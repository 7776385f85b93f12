"""Tests of handler/manage."""
