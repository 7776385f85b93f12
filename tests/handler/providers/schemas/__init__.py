"""Tests of handler/providers/schemas."""
