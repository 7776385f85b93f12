"""A gateway on this machine, with an embedded DynamoDB and a demo model."""
