"""Fakes at the seams and helpers that tests share."""
