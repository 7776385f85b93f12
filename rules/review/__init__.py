"""What a person is told about a set of rules."""
