"""One file per surface that clients call."""
