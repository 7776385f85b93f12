"""Tests of handler/providers/openai."""
