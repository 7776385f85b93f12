# Targets for building and deploying, included by the Makefile. `sam build` runs scripts/Makefile.

# To use the `sam` on the PATH: make deploy SAM=sam
SAM ?= .venvs/sam/bin/sam
export SAM_CLI_TELEMETRY ?= 0

# make build JSON_SCHEMA=0 leaves out jsonschema-rs; `sam build` passes this on to scripts/Makefile.
export JSON_SCHEMA

# The answers given at the first deployment, with defaults before it.
STACK = $(or $(call deployed,stack_name),sluice)
REGION = $(call deployed,region)
deployed = $(shell sed -n 's/^$(1) = "\(.*\)"/\1/p' samconfig.toml 2>/dev/null)

# A role, and a stack in the stack: scripts/monitoring.yaml.
CAPABILITIES := CAPABILITY_IAM CAPABILITY_AUTO_EXPAND

.PHONY: sam validate build deploy update delete key

.venvs/sam/bin/sam: requirements/sam.txt | $(RUN)
	$(PYTHON) -m venv --clear .venvs/sam
	$(call install,.venvs/sam/bin/python,$<)
	@touch $@

sam: $(filter .venvs/sam/bin/sam,$(SAM))

validate: sam
	$(SAM) validate --lint

build: sam
	$(SAM) build

deploy: build
	$(SAM) deploy --guided --stack-name $(STACK) --capabilities $(CAPABILITIES)

update: build
	$(SAM) deploy --capabilities $(CAPABILITIES)

delete: sam
	$(SAM) delete

key: $(RUN)
	@$(BIN)/python -m handler keys create --stack $(STACK) $(REGION:%=--region %) --name '$(or $(NAME),first)' $(ARGS)

slow: sam
