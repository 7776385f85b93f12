"""Reads and changes rules and keys, for the command line and the console."""
