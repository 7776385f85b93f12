"""What every endpoint works with."""
