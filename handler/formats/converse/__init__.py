"""The client format of Bedrock's Converse."""
