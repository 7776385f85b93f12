# The environment of tests/providers/sdk_*.py: the providers' own libraries, which check our captures of their
# formats. Included by the Makefile; `make sdks` makes it, the lock is requirements/sdks.txt. How a lock becomes
# an environment is said in clients.mk.

.PHONY: sdks slow
sdks: .venvs/sdks/.stamp

slow: sdks
