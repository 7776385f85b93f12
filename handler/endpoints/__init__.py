"""The endpoints, one module for each, and the HTTP helpers that they share."""
