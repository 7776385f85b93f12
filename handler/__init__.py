"""Everything that touches the world: HTTP, DynamoDB, the clock, the environment."""
