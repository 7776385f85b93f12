"""Tests of handler/providers/bedrock."""
