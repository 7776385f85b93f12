"""The records that a person writes: their kinds and fields, and how each is read and validated."""
