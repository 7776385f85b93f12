"""Tests of handler/formats/converse."""
