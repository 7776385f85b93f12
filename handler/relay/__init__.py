"""The attempt loop and its decisions."""
