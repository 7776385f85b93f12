"""Reads and validates what a person writes, with pydantic. No request needs it once the records are known."""
