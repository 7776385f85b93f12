"""Reads and writes DynamoDB, and caches the rules."""
