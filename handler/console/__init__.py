"""The operator's page at /console, and the API that it works with."""
