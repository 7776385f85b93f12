"""Tests of handler/structured."""
