"""A gateway on this machine: an embedded DynamoDB, a demo model, and what a person sees of them."""
