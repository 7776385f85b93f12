"""Tests of handler.formats.gemini."""
