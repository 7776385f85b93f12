"""API keys: who calls, and what a key may do."""
