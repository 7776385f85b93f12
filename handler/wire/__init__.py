"""Bytes and texts: JSON, events, header values, addresses. Nothing here knows what a model is."""
