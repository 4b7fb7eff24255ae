# Everything here sets itself up first: from Python >= 3.11 and make, with pip as the only download.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.installed

# The torch with which tests/golden was recorded; everything else is locked at its newest.
LOCKED_TORCH := torch==2.13.0

.DEFAULT_GOAL := help
.PHONY: help demo test test-all lint format lock clean

help: ## List these targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  make %-9s %s\n", $$1, $$2 }'

demo: $(READY) ## Learn the starter tasks and answer them: five minutes on two cores
	@$(BIN)/arckit demo

test: $(READY) ## The fast tests: under three minutes
	@$(BIN)/python -m pytest --durations=5

test-all: $(READY) ## All that `make test` leaves out: everything slow, crashes, notebooks (not the GPU's)
	@$(BIN)/python -m pytest --durations=10 -m "(slow or notebook) and not gpu"

lint: $(READY) ## Check format, lint and types
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/python -m pyright

format: $(READY) ## Rewrite the files in the one format, with the fixes that are safe
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

# Resolved for 3.11.0, the oldest Python we take, and not installed, so the lock does not depend on this machine.
# torch pins its own CUDA packages, where there are any; naming them here would shut out machines without.
lock: $(READY) ## Renew requirements.lock from the ranges in pyproject.toml
	@echo "Resolving (half a minute or so) ..."
	@$(BIN)/python -m pip install --dry-run --ignore-installed --python-version 3.11.0 --only-binary :all: \
		--target $(VENV)/unused ".[pictures,notebooks,trackers,dev]" $(LOCKED_TORCH) > $(VENV)/lock.txt
	@{ echo "# Pinned versions for \`make\`, Linux, Python 3.11 to 3.13. Renewed by \`make lock\`; do not edit."; \
		sed -n 's/^Would install //p' $(VENV)/lock.txt | tr ' ' '\n' \
		| grep -vE '^(arckit|nvidia|cuda|triton)[_-]' \
		| sed -E 's/-([^-]+)$$/==\1/; s/\+.*//' | LC_ALL=C sort -f; } > requirements.lock
	@grep -c == requirements.lock | sed 's/$$/ packages in requirements.lock/'

clean: ## Remove what set-up, tests and the demo made (not runs/)
	rm -rf $(VENV) .pytest_cache .ruff_cache dist demo
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamp is written last: an interrupted set-up starts again, and finds what it already has.
$(READY): pyproject.toml requirements.lock
	@test -x $(BIN)/pip || { \
		$(PYTHON) -c 'import sys; v = sys.version_info; v >= (3, 11) or sys.exit("arckit needs Python 3.11 or newer, and this is %d.%d: try `make PYTHON=python3.12 ...`" % v[:2])' \
		&& echo "Making $(VENV) ..." && $(PYTHON) -m venv $(VENV); }
	@echo "Installing the packages in requirements.lock (once; minutes, for torch is large) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@
	@echo "Ready."
