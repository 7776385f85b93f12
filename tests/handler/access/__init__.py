"""Tests of handler/access."""
