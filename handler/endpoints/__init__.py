"""The endpoints, one module for each, and the HTTP that they share."""
