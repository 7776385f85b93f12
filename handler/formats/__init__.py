"""What a client may send, by format, and how it says its options."""
