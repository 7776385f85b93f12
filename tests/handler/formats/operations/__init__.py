"""Tests of handler/formats/operations."""
