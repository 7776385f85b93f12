"""Holds an answer to a schema, and the calls of tools to what was offered."""
