# Every target sets up what it needs by itself. Wanted on the machine: Python 3.11 or newer, make and git.

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PEERS := $(VENV)/.peers
RIVALS := $(VENV)/.rivals

# The first suitable Python; `make PYTHON=/path/to/python3` overrules.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$p" && break; done)
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check

.PHONY: demo test check coverage guard interop matrix bench lock clean

demo: $(READY) ## the whole story on one screen, no network needed
	@$(BIN)/glasslock demo

test: $(READY) ## the tests that need nothing but glasslock
	$(BIN)/pytest -m "not interop"

check: $(READY) ## lint, format, types, direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

coverage: $(READY) ## the floor for the branches of tls/ and trust/
	$(BIN)/pytest -m "not interop" tests/tls tests/trust --cov --cov-report=term --cov-report=json:coverage.json
	$(BIN)/python tools/coverage_gate.py coverage.json

guard: $(READY) ## does the code do more than it did? Counted, not timed
	$(BIN)/python -m bench.guard

interop: $(PEERS) ## real peers, both directions; a peer that is not there is a named skip
	$(BIN)/pytest -m interop

matrix: $(PEERS) ## the same as tables, with the peers' versions
	$(BIN)/python -m tests.interop.matrix > docs/interop.md
	$(BIN)/python -m tests.interop.browsers.picture docs/images/chromium.png

bench: $(RIVALS) ## speed against ssl and others, into docs/performance.md; a quiet machine and ten minutes
	$(BIN)/python -m bench --write

# The environment holds the locked versions and nothing else: a new lock makes a new one.
$(READY): requirements/dev.lock
	@test -n "$(PYTHON)" || { echo "make: no Python 3.11 or newer on the PATH; try: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -m venv --clear $(VENV) || { echo "make: $(PYTHON) cannot make a venv (on Debian: apt install python3-venv)" >&2; exit 1; }
	@echo "Installing the locked versions into $(VENV) (once)..."
	@$(PIP) install --require-hashes --requirement requirements/dev.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(PEERS): requirements/interop.lock $(READY)
	@echo "Installing the peers that come as Python packages into $(VENV) (once)..."
	@$(PIP) install --require-hashes --requirement requirements/interop.lock
	@touch $@

# One that has no build for this machine must not keep the others away: it is a named skip of the table.
$(RIVALS): requirements/bench.lock $(READY)
	@echo "Installing what is compared into $(VENV) (once)..."
	@$(PIP) install --require-hashes --requirement requirements/bench.lock \
		|| $(BIN)/python tools/install_each.py requirements/bench.lock
	@touch $@

# Newest versions into the locks: for all platforms, with hashes, without addresses. Needs uv on the PATH.
LOCK := uv --no-config pip compile pyproject.toml --quiet --upgrade --universal --python-version 3.11 \
	--generate-hashes --no-strip-extras --custom-compile-command "make lock"
lock:
	$(LOCK) --extra all --extra dev --output-file requirements/dev.lock
	$(LOCK) --extra interop --constraint requirements/dev.lock --output-file requirements/interop.lock
	$(LOCK) --extra bench --constraint requirements/dev.lock --output-file requirements/bench.lock

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage coverage.json dist
