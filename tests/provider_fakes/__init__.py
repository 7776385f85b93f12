"""Fakes of the providers on loopback: they refuse what the real services refuse, and answer by a script."""
