# The environment of tests/providers/sdk_*.py and tests/provider_fakes: the providers' own libraries, which check our
# captures of their formats, and what conversations send. Included by the Makefile; `make sdks` makes it, the lock
# is requirements/sdks.txt. How a lock becomes an environment is said in clients.mk.

.PHONY: sdks slow
sdks: .venvs/sdks/.stamp

slow: sdks
