"""The models that are known, the names that each answers to, and which models a name means."""
