"""The models, and what a name means."""
