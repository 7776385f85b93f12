"""Bytes and texts: JSON, server-sent events, event streams. Nothing here knows what a model is."""
