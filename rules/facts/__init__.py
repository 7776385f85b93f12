"""The facts of a request: what a condition may ask about, and how facts are read from a chat request."""
