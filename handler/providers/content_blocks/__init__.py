"""Anthropic's content blocks, of which Bedrock's Converse format is made, too."""
