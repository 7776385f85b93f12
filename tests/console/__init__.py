"""The console's pages in a real browser, against `python -m handler serve`. They run one by one."""
