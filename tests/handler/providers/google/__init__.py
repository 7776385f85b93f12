"""Tests of handler/providers/google."""
