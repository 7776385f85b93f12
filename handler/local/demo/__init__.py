"""The demo model of a local run, a provider of its own."""
