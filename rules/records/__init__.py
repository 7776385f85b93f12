"""The records that a person writes, read and checked."""
