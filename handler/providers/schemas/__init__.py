"""Translations of JSON Schemas that no wire format owns."""
