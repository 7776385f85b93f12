"""Anthropic's Messages as clients send it: a request becomes a chat, a chat's answer a message."""
