"""Client formats: what a client may send in each, and the options that every format shares."""
