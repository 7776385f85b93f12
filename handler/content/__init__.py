"""Stores what requests and answers say, where a `log` record asks for it."""
