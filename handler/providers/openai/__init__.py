"""The translator for the wire format of OpenAI's Chat Completions."""
