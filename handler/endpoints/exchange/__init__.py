"""The HTTP side of the endpoints: bodies, headers, whole responses and streams."""
