"""HTTP to providers, without any policy."""
