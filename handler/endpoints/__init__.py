"""The endpoints, one module for each; `exchange` has the HTTP parts that they share."""
