# Fault injection: `make faults` prints what callers see under every fault, `make faults ARGS=--real-time` waits for
# real (ten minutes). `make faulty-provider` serves the provider alone. docs/failures.md has the expectations.

.PHONY: faults faulty-provider
faults: $(READY)
	@$(BIN)/python -m tests.fault_injection.scorecard $(ARGS)

faulty-provider: $(READY)
	@$(BIN)/python -m tests.fault_injection $(ARGS)
