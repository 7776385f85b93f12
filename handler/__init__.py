"""Everything that touches the world: HTTP, DynamoDB, the clock, the environment."""

__version__ = "0.1.0"
