"""Equal translations of JSON Schemas."""
