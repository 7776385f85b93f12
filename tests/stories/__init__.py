"""Tests that cross rooms: a whole gateway, used as its callers and operators use it."""
