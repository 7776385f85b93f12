"""Checks, warnings and explanations of rule sets, and parts of the command lines; no request needs them."""
