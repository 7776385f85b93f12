"""Tests of handler/providers/content_blocks."""
