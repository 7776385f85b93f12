"""Tests of handler/content."""
