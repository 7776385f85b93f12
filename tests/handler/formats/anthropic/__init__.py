"""Tests of handler/formats/anthropic."""
