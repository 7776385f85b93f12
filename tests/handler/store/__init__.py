"""Tests of handler/store."""
