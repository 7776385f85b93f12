"""The activity of the last hours, and the newest requests."""
