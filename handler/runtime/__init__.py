"""Lambda's runtime: the loop that streams answers out of a function."""
