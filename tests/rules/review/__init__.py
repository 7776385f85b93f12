"""Tests of rules/review."""
