"""Tests of handler/upstream."""
