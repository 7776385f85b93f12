"""Requests and checks answers that must match a schema; checks tool calls against the offered tools."""
