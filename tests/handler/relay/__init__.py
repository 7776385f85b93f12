"""Tests of handler/relay."""
