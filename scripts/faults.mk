# The fault wall: `make faults` prints what callers see under every fault, `make faults ARGS=--real-time` waits
# for real (ten minutes). `make wall` starts the wall by hand. docs/failures.md

.PHONY: faults wall
faults: $(READY)
	@$(BIN)/python -m tests.fault_injection.scorecard $(ARGS)

wall: $(READY)
	@$(BIN)/python -m tests.fault_injection $(ARGS)
