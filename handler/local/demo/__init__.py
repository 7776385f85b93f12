"""The demo model of a local run, served as a provider of its own."""
