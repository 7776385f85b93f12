"""Tests of handler/runtime."""
