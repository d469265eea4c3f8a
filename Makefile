# Every target sets itself up: it needs Python 3.11 or newer with venv, make, and a package index.
# Stamp files inside .venv remember what has been done, so the second run starts at once.
# Demo and tests use the built wheel, never the working tree: an editable install hides mistakes in packaging.

VENV   := .venv
BIN    := $(VENV)/bin
DONE   := $(VENV)/.done
PEER   := $(VENV)/interop
PIP    := $(BIN)/python -m pip -qq --disable-pip-version-check --no-input
PYTHON ?= $(shell for candidate in python3 python3.13 python3.12 python3.11; do \
    if "$$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; \
    then echo "$$candidate"; break; fi; done)

# Directories too, so that a removed file is noticed.
SOURCES := pyproject.toml setup.py README.md LICENSE \
    $(shell find sttp plugins conformance -name __pycache__ -prune -o \( -type d -o -type f \) -print)

export PIP_ROOT_USER_ACTION := ignore

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test interop conformance conformance-repeat properties coverage mutants soak firewall lint format types docs wheel clean

help:  ## show this list
	@echo "make demo        a publisher and a subscriber on this computer, forward and reverse"
	@echo "make test        all tests, against the built wheel"
	@echo "make interop     the tests with the published Python implementation, which are among all tests"
	@echo "make conformance our own implementation before the conformance suite, and mutants of it (minutes)"
	@echo "make conformance-repeat  ten runs of that with all cores loaded: are the verdicts equal? (half an hour)"
	@echo "make properties  the property tests, with many more examples"
	@echo "make coverage    branch coverage of the wire and the sessions"
	@echo "make mutants     break lines of them on purpose, to see whether the tests notice"
	@echo "make soak        kill either end a hundred times, in both directions (minutes)"
	@echo "make firewall    a reverse connection through a real firewall, in network namespaces (Linux, root)"
	@echo "make lint        ruff: rules and format"
	@echo "make format      let ruff put everything in order"
	@echo "make types       mypy, strict"
	@echo "make docs        the documentation, as HTML, in docs/_build/html"
	@echo "make wheel       the wheel, in dist"
	@echo "make clean       remove everything that make has made"

demo: $(DONE)/wheel-installed
	@$(BIN)/sttp demo

test: $(DONE)/extra-test $(DONE)/interop
	@echo "Running the tests ..."
	@$(BIN)/pytest $(PYTEST)

interop: $(DONE)/extra-test $(DONE)/interop
	@STTP_REQUIRE_INTEROP=1 $(BIN)/pytest tests/interop --verbose $(PYTEST)

conformance: $(DONE)/wheel-installed
	@$(BIN)/sttp conformance run conformance/adapters/sttp-kit
	@$(BIN)/sttp conformance prove conformance/adapters/sttp-kit

conformance-repeat: $(DONE)/wheel-installed
	@$(BIN)/python conformance/repeat.py conformance/adapters/sttp-kit 10

properties: $(DONE)/extra-test
	@echo "Running the property tests with many examples (several minutes) ..."
	@$(BIN)/pytest --hypothesis-profile=thorough tests/properties $(PYTEST)

soak: $(DONE)/wheel-installed
	@$(BIN)/python tests/soak/kills.py

firewall: $(DONE)/wheel-installed
	@$(BIN)/python tests/firewall/scene.py

coverage: $(DONE)/extra-test $(DONE)/group-coverage
	@echo "Running the tests of wire and session with branch coverage (a few minutes) ..."
	@$(BIN)/coverage run --branch --include='*/sttp/wire/*,*/sttp/session/*' --omit='*/_compact.py,*/_tssc.py' \
	    -m pytest -q tests/wire tests/session tests/properties tests/test_tolerances.py
	@$(BIN)/coverage report --show-missing --skip-covered --fail-under=95

mutants: $(DONE)/extra-test
	@echo "Breaking a line at a time, to see whether the tests notice (ten minutes and more) ..."
	@$(BIN)/python tests/mutation/mutants.py

lint: $(DONE)/group-lint
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

format: $(DONE)/group-lint
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

types: $(DONE)/group-types $(DONE)/wheel-installed
	@echo "Checking types ..."
	@$(BIN)/mypy

docs: $(DONE)/extra-docs
	@echo "Building the documentation ..."
	@$(BIN)/python docs/generate.py
	@$(BIN)/sphinx-build --quiet -W --keep-going -b html docs docs/_build/html
	@echo "docs/_build/html/index.html"

wheel: $(DONE)/wheel
	@ls dist/*.whl

clean:
	rm -rf $(VENV) build dist docs/_build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(DONE)/venv:
ifeq ($(strip $(PYTHON)),)
	@echo "No Python 3.11 or newer with venv was found (tried python3, python3.13, python3.12, python3.11)." >&2
	@echo "Install one (on Debian and Ubuntu also the package python3-venv), or name it: make PYTHON=/path/to/python" >&2
	@exit 1
endif
	@echo "Creating a virtual environment in $(VENV) with $$($(PYTHON) --version) ..."
	@$(PYTHON) -m venv --clear $(VENV)
	@mkdir -p $(DONE)
	@touch $@

# Leftovers of an earlier build would slip removed files into the wheel.
$(DONE)/wheel: $(DONE)/venv $(SOURCES)
	@echo "Building the wheel (up to a minute) ..."
	@rm -rf build dist *.egg-info
	@$(PIP) wheel --no-deps --wheel-dir dist .
	@rm -rf build *.egg-info
	@touch $@

$(DONE)/wheel-installed: $(DONE)/wheel
	@echo "Installing the wheel and what it needs (up to a minute the first time) ..."
	@$(PIP) install --force-reinstall --no-deps dist/*.whl
	@$(PIP) install dist/*.whl
	@touch $@

$(DONE)/extra-%: $(DONE)/wheel-installed
	@echo "Installing what $* needs ..."
	@$(PIP) install "$$(ls dist/*.whl)[$*]"
	@touch $@

# It installs a package called sttp too, and so needs an environment of its own. Without it the tests go on: theirs are
# skipped, and say why.
$(DONE)/interop: $(DONE)/venv tests/interop/requirements.txt
	@echo "Installing the published Python implementation, to test with it ..."
	@rm -rf $(PEER)
	@if $(BIN)/python -m venv --without-pip $(PEER) && \
	    $(PIP) --python $(PEER)/bin/python install -r tests/interop/requirements.txt; \
	then touch $@; else echo "It cannot be installed; its tests will be skipped." >&2; fi

$(DONE)/group-%: $(DONE)/venv pyproject.toml
	@echo "Installing the tools for $* ..."
	@$(PIP) install "pip>=25.1"
	@$(PIP) install --group $*
	@touch $@
