"""A gateway in the place of AWS's tables: commands over HTTP, without AWS credentials."""
