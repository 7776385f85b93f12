"""One file per wire format, one row per provider."""
