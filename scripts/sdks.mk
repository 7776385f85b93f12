# The environment of tests/handler/providers/sdk_*.py, tests/official_types and tests/provider_fakes: the providers'
# own libraries. They check our cases of their formats, all outputs of the matrix of formats and providers, and the
# requests of our conversations. Included by the Makefile; `make sdks` makes it from requirements/sdks.txt, as
# clients.mk makes its own.

.PHONY: sdks slow
sdks: .venvs/sdks/.stamp

slow: sdks
