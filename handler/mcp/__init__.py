"""Tools that Sluice runs: the servers of `mcp` records, and the loop of model calls and tool calls."""
