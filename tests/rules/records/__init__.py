"""Tests of rules/records."""
