"""Tests of handler/providers/operations."""
