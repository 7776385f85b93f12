"""The records in force, by kind, and how they are compared with a request. `rules.reading` makes them."""
