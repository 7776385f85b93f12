"""Tests of handler/wire."""
