"""Tests of handler/providers/quirks."""
