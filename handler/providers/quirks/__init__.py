"""Adapts a chat completion request to one provider and one family of models."""
