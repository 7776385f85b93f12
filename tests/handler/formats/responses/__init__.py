"""Tests of the Responses format."""
