"""Tests of handler/formats/chat."""
