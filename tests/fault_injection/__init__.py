"""A provider that fails in every known way, and what a gateway must make of it.

faults.py        the faults, by model name      failure_modes.py  what the provider does for each fault
provider.py      the provider on loopback       expectations.py   what a caller must see under each fault
gateway.py       a gateway in front of it       scorecard.py      `make faults`: a verdict on every fault
scenarios.py     the sixteen of failoverbench   replies.py        the answer, and parts of it
wires.py         the provider's wire formats      clients.py        what clients of other formats observe

`python -m tests.fault_injection` serves the provider alone; docs/failures.md says what to expect.
"""
