"""The fault wall: a provider that fails in every way there is, and what a gateway must make of it.

faults.py      the faults, by model name          server.py     the wall: a real upstream that injects them
front.py       a gateway in front of the wall     judge.py      what a caller must see under each fault
scenarios.py   failoverbench's sixteen            scorecard.py  `make faults`: every fault, a verdict each

`python -m tests.wall` starts the wall by hand; docs/failures.md says what to expect.
"""
