# Everything runs from this checkout: Python packages in .venv, those of npm in node_modules. `make help` lists the tasks.
PYTHON ?= python3
BIN := .venv/bin
workflows := build/workflows-venv/bin
issue_forms = $(filter-out %/config.yml,$(wildcard .github/ISSUE_TEMPLATE/*.yml))
HANDLER := $(shell find handler -name __pycache__ -prune -o -print)

# Which task reads which variables. Another one given, such as a misspelt one, is an error, not silence.
demo_reads := KEEP
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

# Node 20 still works; jsii says on every run that it is no longer supported.
export JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION = 20

.DEFAULT_GOAL := help
.PHONY: help check demo local live test soak mutants faults bench audit lint scan compat docs docs-serve recording format bundle dist release setup clean

help: ## List the tasks
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

demo: setup ## Deploy, change and destroy a replicated secret on local AWS (KEEP=1 leaves local AWS running)
	@exec $(BIN)/python -m local.demo $(if $(call on,$(KEEP)),--keep)

local: setup ## Start local AWS and print the environment for your own cdk and aws (SPEED=20 to speed it up, PORT=4566, AUTH=1 enforces IAM)
	@exec $(BIN)/python -m local --speed $(or $(SPEED),1) --port $(or $(PORT),0) $(if $(call on,$(AUTH)),--auth)

live: setup build/awscli-venv/done ## Find out on your AWS account what no emulator can tell (docs/guide/live.md; LOCAL=1, CLEAN=1, REPORT=file, REPLICAS=..., ONLY=..., YES=1)
	@exec $(BIN)/python -m live $(if $(call on,$(LOCAL)),--local) $(if $(call on,$(CLEAN)),--clean) $(if $(REPORT),--report "$(REPORT)") $(if $(call on,$(YES)),--yes) --replicas "$(REPLICAS)" --only "$(ONLY)"

check: lint test ## Run all that a pull request needs: style, types, imports and every test

test: setup build/awscli-venv/done ## Run every test (TESTS=tests/unit runs some)
	@$(BIN)/python -m pytest --numprocesses 4 --dist loadgroup $(TESTS)

soak: setup ## Run randomized stack histories and events for MINUTES (10; SEED=... repeats one round)
	@PYTHONPATH=handler $(BIN)/python -m tools.soak $(if $(SEED),--seed $(SEED) --rounds 1 --shrink,--minutes $(or $(MINUTES),10))

mutants: setup ## Change the handler in small ways: every mutant must be caught (ONLY="plan apply")
	@$(BIN)/python -m tools.mutants $(ONLY)

faults: setup build/microburst-venv/done ## Inject network faults into whole stack life cycles, and write docs/design/reliability.md (40 minutes; ONLY=... injects some)
	@PYTHONPATH=handler:constructs:packaging $(BIN)/python -m tools.faults $(if $(ONLY),--only "$(ONLY)")

bench: setup ## Compare speed and size with the alternatives, and write docs/design/benchmarks.md (15 minutes; ONLY=... runs one)
	@PYTHONPATH=handler:constructs:packaging $(BIN)/python -m bench $(if $(ONLY),--only $(ONLY))

audit: setup build/audit-venv/done ## Report known vulnerabilities of the bundle and the CDK CLI, if the advisory indexes are reachable
	@build/audit-venv/bin/pip-audit --disable-pip --no-deps --progress-spinner off --requirement handler/requirements.txt || true
	@npm audit || true

lint: setup build/docs-venv/done build/workflows-venv/done ## Check style, types, prose, the site's links, which module may import which, and the files in .github
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

docs: setup build/docs-venv/done ## Build the documentation's site into build/site, with the construct reference and the scanners' findings
	@$(BIN)/python -m tools.construct_reference
	@$(BIN)/python -m tools.scan.page
	@$(BIN)/python -m tools.site

docs-serve: docs ## Show the site on http://localhost:8000 (run `make docs` to refresh it)
	@exec $(BIN)/python -m tools.site --serve

recording: setup ## Record the demo as docs/assets/demo.svg (2 minutes)
	@$(BIN)/python -m tools.recording

scan: setup build/checkov-venv/done ## Scan the synthesized templates with cdk-nag, cfn-lint and checkov
	@$(BIN)/python -m tools.scan

compat: dist ## Test the wheel with the lowest and the newest aws-cdk-lib, the examples with it, and a user's types (5 minutes)
	@$(BIN)/python -m tools.compat

format: setup ## Format the code
	@$(BIN)/ruff check --fix --exit-zero --quiet .
	@$(BIN)/ruff format .

bundle: build/handler.zip ## Bundle the Lambda into build/handler.zip

dist: setup ## Build into dist/: the wheel, the source distribution, and for plain CloudFormation template, zip and schema
	@rm -rf dist
	@$(BIN)/hatchling build --directory dist
	@PYTHONPATH=constructs:handler:packaging $(BIN)/python -m cloudformation dist
	@$(BIN)/twine check --strict dist/*.whl dist/*.tar.gz
	@$(BIN)/check-wheel-contents dist/*.whl

release: setup ## Set the version, date the changes, build, commit and tag VERSION (0.2.0); push nothing
	@$(BIN)/python -m tools.release "$(VERSION)"

setup: .venv/done node_modules/done build/handler.zip ## Install everything into the checkout

clean: ## Remove what the tasks have made
	rm -rf .venv node_modules build dist cdk.out .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

.venv/done: requirements.txt pyproject.toml
	@echo "Installing Python packages into .venv"
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else f"Python 3.11 or newer is needed, this is {sys.version}; set PYTHON=...")'
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

node_modules/done: package.json package-lock.json
	@echo "Installing the CDK CLI, and the AWS SDK for the functions of local AWS, into node_modules"
	@npm ci --loglevel=error --no-audit --no-fund
	@touch $@

# Tools in environments of their own: what they pin does not go with the rest.
build/%-venv/done: tools/requirements/%.txt
	@echo "Installing $* into build/$*-venv"
	@$(PYTHON) -m venv --clear build/$*-venv
	@build/$*-venv/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@

build/handler.zip: $(HANDLER) hatch_build.py .venv/done
	@echo "Bundling the Lambda into $@"
	@mkdir -p build
	@$(BIN)/python hatch_build.py $@
