"""Calls AWS: a small client for requests, botocore's clients for everything else."""
