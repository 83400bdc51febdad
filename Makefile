# `make demo` and `make test` need git, Python 3.11 or newer, and make; everything else is set up in .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Certificates as the system trusts them: also behind an inspecting proxy.
UV := $(VENV)/bin/python -m uv --system-certs
# Tests run side by side, those of a file in one process, which makes what they share once. They wait for processes more
# than they compute: one more than there are processors, six at most. `make test JOBS=1` runs them one by one.
# Programs that tests start write no byte code: it is there before.
JOBS ?= $(shell n=$$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2); [ $$n -lt 5 ] && echo $$((n + 1)) || echo 6)

.PHONY: help setup demo example example-change test lint fix docs bench torture lock clean

help:  ## what there is to make
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 16

# The lock files name versions and hashes, and no index: installs work behind any mirror that pip is set up for.
$(VENV)/uv.stamp: requirements/uv.txt
	$(PYTHON) -c 'import sys; sys.exit("Lineal needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Try: make PYTHON=python3.12") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
	touch $@

$(VENV)/demo.stamp: $(VENV)/uv.stamp requirements/demo.txt pyproject.toml
	$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements/demo.txt
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	touch $@

$(VENV)/dev.stamp: $(VENV)/demo.stamp requirements/dev.txt
	$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements/dev.txt
	touch $@

setup: $(VENV)/dev.stamp  ## everything a developer needs, in .venv

demo: $(VENV)/demo.stamp  ## the whole story on real data, in ./lineal-demo
	$(BIN)/lineal demo

example: $(VENV)/dev.stamp  ## git, DVC, S3, an image and SageMaker in one graph, in a temporary folder
	$(BIN)/python examples/tumour-classifier/story.py

example-change: $(VENV)/dev.stamp  ## changes in production explained: API events, approvals, verdicts, in a temporary folder
	$(BIN)/python examples/change-control/story.py

test: $(VENV)/dev.stamp  ## all tests but the long ones
	$(BIN)/python -m compileall -q -j 0 src
	PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -q -n $(JOBS) --dist loadfile --no-loadscope-reorder -m "not torture"

torture: $(VENV)/dev.stamp  ## the long crash and load tests, and properties of examples that nobody has tried yet
	$(BIN)/python -m pytest -q -m torture
	$(BIN)/python -m pytest -q -m "not torture" --hypothesis-profile search tests/property

lint: $(VENV)/dev.stamp  ## formatting, style, types, floors
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

fix: $(VENV)/dev.stamp  ## mend what the linters can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: $(VENV)/dev.stamp  ## the pages that are made from the code
	$(BIN)/python scripts/make_docs.py

bench: $(VENV)/dev.stamp  ## the benchmarks, side by side with the peers (long; installs them)
	$(BIN)/python -m benchmarks

lock: $(VENV)/uv.stamp  ## the lock files anew, from pyproject.toml
	sh scripts/lock.sh "$(UV)"

clean:  ## remove what was made here
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache lineal-demo
