# Every target sets itself up: it needs Python 3.11 or newer with venv, make, and a package index.
# Stamp files inside .venv remember what has been done, so the second run starts at once.
# Demo and tests use the built wheel, never the working tree: an editable install hides mistakes in packaging.

VENV   := .venv
BIN    := $(VENV)/bin
DONE   := $(VENV)/.done
PEER   := $(VENV)/interop
FEATURES := -k cipher -k buffer_block -k replay -k the_past -k udp -k datagram
PIP    := $(BIN)/python -m pip -qq --disable-pip-version-check --no-input
PYTHON ?= $(shell for candidate in python3 python3.13 python3.12 python3.11; do \
    if "$$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; \
    then echo "$$candidate"; break; fi; done)

# Directories too, so that a removed file is noticed. The plugins that are distributions of their own are no
# part of it. The dots keep a folder from being taken for the target of the same name.
SOURCES := pyproject.toml setup.py README.md LICENSE \
    $(shell find sttp plugins/. conformance/. \( -name __pycache__ -o -path 'plugins/./sttp-*' -o -name template \) -prune \
    -o \( -type d -o -type f \) -print)
PLUGINS := plugins/sttp-unix plugins/sttp-websocket
PLUGIN_WHEELS := $(patsubst plugins/sttp-%,dist/sttp_%-*.whl,$(PLUGINS))
PLUGIN_SOURCES := $(shell find $(PLUGINS) \( -name '*.egg-info' -o -name build -o -name __pycache__ \) -prune -o -type f -print)

export PIP_ROOT_USER_ACTION := ignore

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test plugins interop judge judge-peers judge-repeat screenshots properties coverage mutants sanitize soak links firewall lint format types docs wheel clean bench wheels fuzz

help:  ## show this list
	@echo "make demo        a publisher and a subscriber on this computer, forward and reverse"
	@echo "make test        all tests, against the built wheel"
	@echo "make plugins     build and test the plugins that are distributions of their own, and their template"
	@echo "make interop     the tests with the published Python implementation, which are among all tests"
	@echo "make judge       our own implementation before the conformance suite, and mutants of it (minutes)"
	@echo "make judge-peers  every implementation that runs here before the suite, and the pages about them (fifteen minutes)"
	@echo "make judge-repeat  ten runs of that with all cores loaded: are the verdicts equal? (half an hour)"
	@echo "make properties  the property tests, with many more examples"
	@echo "make coverage    branch coverage of the wire and the sessions"
	@echo "make mutants     break lines of them on purpose, to see whether the tests notice"
	@echo "make sanitize    fuzz the loops, compiled against uncompiled, under the address sanitizer (gcc; minutes)"
	@echo "make fuzz        fuzz all parsers and both sessions, ten minutes each of eight (Linux)"
	@echo "make soak        kill either end a hundred times, in both directions (minutes)"
	@echo "make links       cut links a thousand times, silence them, let the clock jump; TCP and TLS (Linux, root, gcc; five minutes)"
	@echo "make firewall    a reverse connection through a real firewall, in network namespaces (Linux, root)"
	@echo "make bench       how fast it all is, beside the published Python implementation (ten minutes; on a quiet machine)"
	@echo "make lint        ruff: rules and format"
	@echo "make format      let ruff put everything in order"
	@echo "make types       mypy, strict"
	@echo "make screenshots  the pictures of the report in the documentation (Chromium)"
	@echo "make docs        the documentation, as HTML, in docs/_build/html"
	@echo "make wheel       the wheel, in dist"
	@echo "make wheels      source distribution, compiled and pure wheel, tried with every Python from 3.11 on that is here"
	@echo "make clean       remove everything that make has made"

demo: $(DONE)/wheel-installed
	@$(BIN)/sttp demo

test: $(DONE)/extra-test $(DONE)/interop
	@echo "Running the tests, on all processors ..."
	@$(BIN)/pytest -n auto --dist worksteal $(PYTEST)

# Each has its own suite, and the kit in it; then a fresh environment sees nothing but wheels.
plugins: $(DONE)/extra-test $(DONE)/group-copier $(DONE)/plugins-installed
	@echo "Testing the plugins and their template ..."
	@$(BIN)/pytest -q tests/testing/test_template.py
	@for plugin in $(PLUGINS); do $(BIN)/pytest -q -p no:cacheprovider -c $$plugin/pyproject.toml $$plugin/tests || exit; done
	@$(BIN)/python tests/fresh/environment.py dist

interop: $(DONE)/extra-test $(DONE)/interop
	@STTP_REQUIRE_INTEROP=1 $(BIN)/pytest tests/interop --verbose $(PYTEST)

judge: $(DONE)/wheel-installed
	@$(BIN)/sttp conformance run conformance/adapters/sttp-kit
	@$(BIN)/sttp conformance prove conformance/adapters/sttp-kit
	@$(BIN)/sttp conformance prove tests/conformance/features $(FEATURES)

# Exit code 1 means that an implementation fails something, which is what the pages are about.
JUDGED := $(VENV)/judged
judge-peers: $(DONE)/extra-test $(DONE)/interop
	@rm -rf $(JUDGED)
	@for peer in sttp-kit sttpapi example-subscriber; do \
	    STTP_INTEROP_PYTHON=$(abspath $(PEER))/bin/python \
	    $(BIN)/sttp conformance run conformance/adapters/$$peer --out $(JUDGED)/$$peer || [ $$? = 1 ] || exit; \
	done
	@$(BIN)/python docs/conformance_page.py $(JUDGED)
	@$(BIN)/python docs/generate.py

screenshots: $(DONE)/extra-test
	@PYTHONPATH=tests/support $(BIN)/python docs/screenshots.py

judge-repeat: $(DONE)/wheel-installed
	@$(BIN)/python conformance/repeat.py conformance/adapters/sttp-kit 10

properties: $(DONE)/extra-test
	@echo "Running the property tests with many examples (several minutes) ..."
	@$(BIN)/pytest --hypothesis-profile=thorough tests/properties $(PYTEST)

fuzz: $(DONE)/extra-test $(DONE)/group-fuzz
	@echo "Fuzzing eight targets, ten minutes each; FUZZ_SECONDS=S changes that. What is found stays in .fuzz ..."
	@$(BIN)/python tests/fuzz/run.py --all --seconds $(or $(FUZZ_SECONDS),600) && $(BIN)/python tests/fuzz/run.py --keep

soak: $(DONE)/wheel-installed
	@$(BIN)/python tests/soak/kills.py

links: $(DONE)/wheel-installed
	@$(BIN)/python tests/soak/links.py $(LINKS)

firewall: $(DONE)/wheel-installed
	@$(BIN)/python tests/firewall/scene.py

bench: $(DONE)/extra-test $(DONE)/interop
	@$(BIN)/python tests/benchmarks/suite.py --peer $(PEER)/bin/python $(BENCH)
	@$(BIN)/python docs/generate.py

coverage: $(DONE)/extra-test $(DONE)/group-coverage
	@echo "Running the tests of wire and session with branch coverage (a few minutes) ..."
	@$(BIN)/coverage run --branch --include='*/sttp/wire/*,*/sttp/session/*' --omit='*/_compact.py,*/_tssc.py' \
	    -m pytest -q tests/wire tests/session tests/properties tests/test_tolerances.py
	@$(BIN)/coverage report --show-missing --skip-covered --fail-under=95

mutants: $(DONE)/extra-test
	@echo "Breaking a line at a time, to see whether the tests notice (ten minutes and more) ..."
	@$(BIN)/python tests/mutation/mutants.py

sanitize: $(DONE)/extra-test $(DONE)/group-sanitize
	@$(BIN)/python tests/fuzz/codec.py $(FUZZ)

lint: $(DONE)/group-lint
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

format: $(DONE)/group-lint
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

types: $(DONE)/group-types $(DONE)/extra-test
	@echo "Checking types ..."
	@$(BIN)/mypy

docs: $(DONE)/extra-docs
	@echo "Building the documentation ..."
	@$(BIN)/python docs/generate.py
	@$(BIN)/sphinx-build --quiet -W --keep-going -b html docs docs/_build/html
	@echo "docs/_build/html/index.html"

wheel: $(DONE)/wheel
	@ls dist/*.whl

wheels: $(DONE)/venv
	@$(BIN)/python tests/wheels/try_wheels.py $(PYTHONS)

clean:
	rm -rf $(VENV) build dist docs/_build *.egg-info plugins/*/build plugins/*/src/*.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

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
	@$(PIP) install --force-reinstall --no-deps dist/sttp_kit-*.whl
	@$(PIP) install dist/sttp_kit-*.whl
	@touch $@

$(DONE)/extra-%: $(DONE)/wheel-installed
	@echo "Installing what $* needs ..."
	@$(PIP) install "$$(ls dist/sttp_kit-*.whl)[$*]"
	@touch $@

$(DONE)/plugins-installed: $(DONE)/wheel-installed $(PLUGIN_SOURCES)
	@echo "Building and installing the plugins that are distributions of their own ..."
	@rm -f $(PLUGIN_WHEELS)
	@$(PIP) wheel --no-deps --wheel-dir dist $(PLUGINS)
	@rm -rf plugins/*/build plugins/*/src/*.egg-info
	@$(PIP) install --force-reinstall --no-deps $(PLUGIN_WHEELS)
	@$(PIP) install $(PLUGIN_WHEELS)
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
