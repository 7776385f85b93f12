"""The wire format of OpenAI's chat completions."""
