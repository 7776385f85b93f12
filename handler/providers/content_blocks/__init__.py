"""Anthropic's content blocks, from which Bedrock's Converse format is made too."""
