"""OpenAI's chat completions, as clients send them."""
