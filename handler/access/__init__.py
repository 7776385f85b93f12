"""Who calls: API keys and their records."""
