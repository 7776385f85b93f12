"""Tests of handler/gateway."""
