"""Tests of handler/providers/anthropic."""
