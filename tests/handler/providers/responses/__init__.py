"""Tests of handler/providers/responses."""
