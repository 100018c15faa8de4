# Two commands do all the set-up: `make demo` and `make test`.

VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= $(firstword $(foreach name,python3.13 python3.12 python3.11 python3, \
	$(shell $(name) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $(name))))
ARGS ?=
CORPUS ?= tests/corpus

.PHONY: help demo test lint format types bench score messages golden screenshots system clean

help:  ## show what there is
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile | expand -t 10

demo: $(VENV)/.base  ## sweep a few lab hosts over SSH and say where the reports are
	$(BIN)/ssm-triage demo $(ARGS)

test: $(VENV)/.kerberos  ## run everything (ARGS='-k name' for a part)
	$(BIN)/python -m pytest -n auto --dist loadgroup $(ARGS)

lint: $(VENV)/.dev  ## ruff, mypy --strict, and the floors
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

format: $(VENV)/.dev  ## let ruff set the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.bench  ## measure us and our peers; writes build/bench.json and the tables of docs/performance.md
	$(BIN)/python -m bench $(ARGS)
	$(if $(findstring --quick,$(ARGS)),,$(BIN)/python -m bench.doc)

score: $(VENV)/.base  ## how often the diagnosis is right (CORPUS=DIR)
	$(BIN)/python -m lab.score $(CORPUS)

messages: $(VENV)/.test  ## bring the catalogues of translations up to date, and say what is untranslated
	PYTHONPATH=tests/locale $(BIN)/python tests/locale/catalogues.py

golden: $(VENV)/.test  ## renew the pages that the tests compare with, once you like what changed
	PYTHONPATH=. $(BIN)/python tests/reports/demo_pages.py

screenshots: $(VENV)/.test system  ## photograph the reports (build/screenshots; two of them for the README)
	PYTHONPATH=. $(BIN)/python tests/reports/screenshots.py

system:  ## the system packages that the tests use (as root, with apt)
	@tests/system-packages

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo 'make: ssm-triage needs Python 3.11 or later: install python3.11, or say make PYTHON=/path/to/python' >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || tests/system-packages venv $(PYTHON)
	$(PYTHON) -m venv $(VENV)

$(VENV)/.base: $(VENV)/bin/python setup.cfg pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.test: $(VENV)/bin/python setup.cfg pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test,dev]'
	@touch $@ $(VENV)/.base $(VENV)/.dev

# Kerberos is compiled, against the system's libraries: where it cannot be, its tests are skipped. What only
# tests use need not be optimised, which would take three times as long.
$(VENV)/.kerberos: $(VENV)/.test | system
	@if command -v krb5-config >/dev/null && command -v gcc >/dev/null \
	&& CFLAGS='-O0 -g0' $(BIN)/python -m pip install --disable-pip-version-check --editable '.[test-kerberos]' >$(VENV)/kerberos.log 2>&1; \
	then touch $@; \
	else echo 'The tests of Kerberos are skipped: they need krb5-config, gcc and Python.h ($(VENV)/kerberos.log says more)'; fi

$(VENV)/.bench: $(VENV)/.test
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[bench]'
	@touch $@

$(VENV)/.dev: $(VENV)/bin/python setup.cfg pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

clean:  ## remove what was made
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .tox
