# Everything runs from this checkout: Python packages are in .venv, npm's in node_modules. `make help` lists the tasks.
PYTHON ?= python3
BIN := .venv/bin
workflows := build/workflows-venv/bin
issue_forms = $(filter-out %/config.yml,$(wildcard .github/ISSUE_TEMPLATE/*.yml))
HANDLER := $(shell find handler -name __pycache__ -prune -o -print)

# Which variables each task reads. Any other variable, for example a misspelled one, is an error.
demo_reads := KEEP FAIL
local_reads := SPEED PORT AUTH
live_reads := LOCAL CLEAN REPORT REPLICAS ONLY YES
check_reads := TESTS
test_reads := TESTS
soak_reads := MINUTES SEED
mutants_reads := ONLY
faults_reads := ONLY
bench_reads := ONLY
release_reads := VERSION
reads := $(foreach goal,$(MAKECMDGOALS),$($(goal)_reads)) PYTHON
given := $(foreach variable,$(.VARIABLES),$(if $(filter command,$(origin $(variable))),$(variable)))
# A make within make inherits the outer one's.
ifeq ($(MAKELEVEL),0)
$(foreach variable,$(filter-out $(reads),$(given)),$(error make $(MAKECMDGOALS) does not read $(variable). It reads $(strip $(reads))))
endif

# KEEP=0 and AUTH=0 are off.
on = $(filter-out 0 false no,$(1))

# Node 20 still works. Without this, jsii warns on every run that it is no longer supported.
export JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION = 20

.DEFAULT_GOAL := help
.PHONY: help check demo local live test soak mutants faults bench audit lint scan compat docs docs-serve recording format bundle dist release setup clean

help: ## List the tasks
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

demo: setup ## Deploy, change and destroy a replicated secret on local AWS (50 seconds; FAIL=1 shows a failure, KEEP=1 leaves local AWS running)
	@exec $(BIN)/python -m local.demo $(if $(call on,$(FAIL)),--fail) $(if $(call on,$(KEEP)),--keep)

local: setup ## Start local AWS and print the environment for your own cdk and aws (SPEED=20 to speed it up, PORT=4566, AUTH=1 enforces IAM)
	@exec $(BIN)/python -m local --speed $(or $(SPEED),1) --port $(or $(PORT),0) $(if $(call on,$(AUTH)),--auth)

live: setup build/awscli-venv/done ## Find out on your AWS account what no emulator can tell (see docs/guide/live.md; LOCAL=1, CLEAN=1, REPORT=file, REPLICAS=..., ONLY=..., YES=1)
	@exec $(BIN)/python -m live $(if $(call on,$(LOCAL)),--local) $(if $(call on,$(CLEAN)),--clean) $(if $(REPORT),--report "$(REPORT)") $(if $(call on,$(YES)),--yes) --replicas "$(REPLICAS)" --only "$(ONLY)"

check: lint test ## Check what a pull request needs: style, types, imports and every test

test: setup build/awscli-venv/done ## Run every test (TESTS=tests/unit runs some)
	@echo "Running $(or $(TESTS),every test: about eight minutes)"
	@$(BIN)/python -m pytest --numprocesses 5 --dist loadgroup $(TESTS)

soak: setup ## Run randomized stack histories and events for MINUTES=10 (SEED=... repeats one round)
	@echo "Running randomized histories and events: $(if $(SEED),one round and minutes to shorten what fails,$(or $(MINUTES),10) minutes and a line for each round)"
	@PYTHONPATH=handler $(BIN)/python -m tools.soak $(if $(SEED),--seed $(SEED) --rounds 1 --shrink,--minutes $(or $(MINUTES),10))

mutants: setup ## Change the handler in small ways; a test must catch each change (ONLY="plan apply" changes these modules)
	@echo "Trying every mutant of $(or $(ONLY),the handler: an hour or more)"
	@$(BIN)/python -m tools.mutants $(ONLY)

faults: setup build/microburst-venv/done ## Inject network faults into whole stack life cycles, and write docs/design/reliability.md (25 minutes; ONLY=... injects some of them)
	@PYTHONPATH=handler:constructs:packaging $(BIN)/python -m tools.faults $(if $(ONLY),--only "$(ONLY)")

bench: setup ## Compare speed and size with the alternatives, and write docs/design/benchmarks.md (15 minutes; ONLY=... runs one)
	@echo "Measuring $(or $(ONLY),speed and size: about 15 minutes). A table is printed when it is complete."
	@PYTHONPATH=handler:constructs:packaging $(BIN)/python -m bench $(if $(ONLY),--only $(ONLY))

audit: setup build/audit-venv/done ## Report known vulnerabilities in the bundle and the CDK CLI, if the advisory indexes are reachable
	@echo "Asking the advisory indexes: about 10 seconds"
	@build/audit-venv/bin/pip-audit --disable-pip --no-deps --progress-spinner off --requirement handler/requirements.txt || true
	@npm audit || true

lint: setup build/docs-venv/done build/workflows-venv/done ## Check style, types, prose, the site's links, imports between modules, and the files in .github
	@echo "Checking style, types, imports, prose and links: about a minute"
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@PYTHONPATH=constructs:handler:. $(BIN)/lint-imports
	@$(workflows)/actionlint -shellcheck= -pyflakes=
	@$(workflows)/zizmor --offline --quiet .github
	@$(workflows)/check-jsonschema --quiet --builtin-schema vendor.dependabot .github/dependabot.yml
	@$(workflows)/check-jsonschema --quiet --builtin-schema vendor.github-issue-config .github/ISSUE_TEMPLATE/config.yml
	@$(workflows)/check-jsonschema --quiet --builtin-schema vendor.github-issue-forms $(issue_forms)
	@$(BIN)/python -m tools.prose
	@$(BIN)/python -m tools.site

docs: setup build/docs-venv/done ## Generate the construct reference and the scanners' findings, and build the documentation site into build/site
	@echo "Building the site into build/site: a few seconds"
	@$(BIN)/python -m tools.construct_reference
	@$(BIN)/python -m tools.scan.page
	@$(BIN)/python -m tools.site

docs-serve: docs ## Show the site on http://localhost:8000 (run `make docs` to refresh it)
	@exec $(BIN)/python -m tools.site --serve

recording: setup ## Record the demo as docs/assets/demo.svg (a minute)
	@$(BIN)/python -m tools.recording

scan: setup build/checkov-venv/done ## Scan the synthesized templates with cdk-nag, cfn-lint and checkov
	@echo "Scanning every stack with three tools: about half a minute"
	@$(BIN)/python -m tools.scan

compat: dist ## Test the wheel with the lowest and newest aws-cdk-lib, deploy the examples with it, and check a user's types (5 minutes)
	@echo "Installing the wheel with the lowest and the newest aws-cdk-lib, and testing it: about five minutes"
	@$(BIN)/python -m tools.compat

format: setup ## Format the code
	@$(BIN)/ruff check --fix --exit-zero --quiet .
	@$(BIN)/ruff format .

bundle: build/handler.zip ## Bundle the Lambda into build/handler.zip

dist: setup ## Build into dist/ the wheel, the source distribution, and what plain CloudFormation needs: templates, zip and schema
	@echo "Building into dist/: about 10 seconds"
	@rm -rf dist
	@$(BIN)/hatchling build --directory dist
	@PYTHONPATH=constructs:handler:packaging $(BIN)/python -m cloudformation dist
	@$(BIN)/twine check --strict dist/*.whl dist/*.tar.gz
	@$(BIN)/check-wheel-contents dist/*.whl

release: setup ## Set the version, date the changelog, build, commit and tag, for VERSION=0.2.0; pushes nothing
	@$(BIN)/python -m tools.release "$(VERSION)"

setup: .venv/done node_modules/done build/handler.zip ## Install everything into the checkout (a minute, once)
	@:

clean: ## Remove what the tasks have made
	rm -rf .venv node_modules build dist cdk.out .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

.venv/done: requirements.txt pyproject.toml
	@echo "Installing Python packages into .venv: about 45 seconds"
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else f"Python 3.11 or newer is needed, this is {sys.version}; set PYTHON=...")'
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

node_modules/done: package.json package-lock.json
	@echo "Installing the CDK CLI, and the AWS SDK for the functions of local AWS, into node_modules: about 10 seconds"
	@npm ci --loglevel=error --no-audit --no-fund
	@touch $@

# Tools in dedicated environments, because their pins conflict with the rest.
build/%-venv/done: tools/requirements/%.txt
	@echo "Installing $* into build/$*-venv: up to a minute"
	@$(PYTHON) -m venv --clear build/$*-venv
	@build/$*-venv/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@

build/handler.zip: $(HANDLER) hatch_build.py .venv/done
	@echo "Bundling the Lambda into $@: about 5 seconds"
	@mkdir -p build
	@$(BIN)/python hatch_build.py $@
