"""OpenAI chat completions as clients send them."""
