"""Tests of rules/facts."""
