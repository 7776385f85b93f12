"""The facts of a request that rules may ask for."""
