"""Tests of handler/answers."""
