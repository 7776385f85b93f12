"""What the last hours did, and the newest requests, in items of the State table: for the console."""
