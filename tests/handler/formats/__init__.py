"""Tests of handler/formats."""
