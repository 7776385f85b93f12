"""DynamoDB, and what is remembered of it."""
