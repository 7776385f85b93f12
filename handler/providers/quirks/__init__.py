"""Adapts a chat request to a provider's row and to a family of models."""
