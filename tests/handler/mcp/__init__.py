"""Tests of handler.mcp."""
