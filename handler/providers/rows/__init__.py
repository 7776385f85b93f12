"""The built-in providers, one row each."""
