"""Lambda's entries: the loop that streams answers, and the buffered one."""
