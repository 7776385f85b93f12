"""Tests of handler/endpoints."""
