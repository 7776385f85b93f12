"""Tracing: requests and attempts as spans of OpenTelemetry, sent to a collector."""
