"""The official clients against a running gateway."""
