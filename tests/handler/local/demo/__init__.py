"""Tests of handler/local/demo."""
