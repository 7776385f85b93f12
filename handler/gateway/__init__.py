"""Admits and completes requests, and holds the rules in force; every endpoint uses it."""
