"""Tests of rules/catalog."""
