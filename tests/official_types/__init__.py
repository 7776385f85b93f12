"""Official clients and their types, in the environment of `make sdks`, as readers of what clients get."""
