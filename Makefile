# SPDX-License-Identifier: Apache-2.0
# `make help` lists what there is. Everything is installed into .venv, from PyPI alone.

PYTHON ?= python3
DURATION ?= 0
VIEW ?=
VENV := .venv
BIN := $(VENV)/bin
VENV_312 := .venv-3.12

STARTED := $(shell date +%s)
# Python compiles what it imports, which is a small part of what is installed, and keeps it.
INSTALL := -m pip --disable-pip-version-check install --quiet --no-compile
unexport PYTHONDONTWRITEBYTECODE

# Four for two cores, since many tests wait for processes most of the time. The tests of a file
# stay together, because they share what is built once for all of them.
WORKERS ?= 4
PYTEST := -m pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder

NOT_PYTHON := Makefile .ci '*.pyi' '*.toml' '*.cfg' '*.yaml' '*.yml' '*.xml'

# A python3.12 that runs; one found by name alone may be a version manager's empty shim.
FIND_312 = for python in python3.12 $${PYENV_ROOT:-$$HOME/.pyenv}/versions/3.12.*/bin/python3; do \
	"$$python" -c 'import ensurepip, sys; sys.exit(sys.version_info[:2] != (3, 12))' \
	2>/dev/null && echo "$$python" && break; done

.DEFAULT_GOAL := help
# Only what a recipe below starts with --jobs runs side by side.
ifeq ($(MAKELEVEL),0)
.NOTPARALLEL:
endif
.PHONY: help demo test lint types test-unit test-python3.12 clean distclean

help: ## this list
	@sed -n 's/^\([a-z0-9.-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

demo: $(VENV)/vehicle.stamp $(if $(VIEW),$(VENV)/view.stamp) ## the nodes at work on a drawn drive; DURATION=20 ends it after 20 s, VIEW=1 shows it in a browser
	@$(BIN)/carla_unet_demo --duration $(DURATION) --since $(STARTED) $(if $(VIEW),--view)

test: ## everything: linters, types, Python 3.12, all tests
	@echo "Linters, types and the tests on Python 3.12 run side by side; each reports at its end."
	@$(MAKE) --no-print-directory --jobs=3 --output-sync=target lint types test-if-python3.12
	@$(MAKE) --no-print-directory test-unit

lint: $(VENV)/everything.stamp ## ruff: style and format; import-linter: which room may import which
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache
	@! git grep --untracked -LE '^(#|<!--) SPDX-License-Identifier: Apache-2.0' -- $(NOT_PYTHON) || { echo \
	"These files need an SPDX line, as all others have (ruff looks after *.py)."; exit 1; }

types: $(VENV)/everything.stamp ## pyright
	$(BIN)/pyright

test-unit: $(VENV)/everything.stamp ## pytest, on the Python of .venv
	$(BIN)/python $(PYTEST) --durations=15

# All that runs in a vehicle, and could run otherwise on another Python: nodes over DDS, engines,
# bags, ways of installation. What is left out runs in test-unit, on the Python of .venv: training
# (no torch is installed here), benchmarks, and tests marked `once`.
test-python3.12: $(VENV_312)/vehicle.stamp ## the vehicle's tests, on ROS 2 Jazzy's Python
	timeout 900 $(VENV_312)/bin/python $(PYTEST) -m 'not training and not once' \
	--ignore test/benchmarks --quiet

.PHONY: test-if-python3.12
test-if-python3.12: | $(BIN)/python
	@if $(BIN)/python -c 'import sys; sys.exit(sys.version_info[:2] != (3, 12))'; then \
	echo "$(VENV) is of Python 3.12 already."; \
	elif [ -n "$$($(FIND_312))" ]; then $(MAKE) --no-print-directory test-python3.12; \
	else echo "No python3.12 here: the tests run on $$($(BIN)/python --version) only."; fi

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { echo \
	"$(PYTHON) is $$($(PYTHON) --version 2>&1); 3.10 or newer is needed: make PYTHON=python3.12 ..."; \
	exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { echo \
	"$(PYTHON) cannot make virtual environments; on Debian and Ubuntu: apt install python3-venv"; \
	exit 1; }
	$(PYTHON) -m venv --clear $(VENV)

$(VENV)/vehicle.stamp: setup.py | $(BIN)/python
	@echo "Installing the package and ROS 2 into $(VENV), about half a minute ..."
	@$(BIN)/python $(INSTALL) -e '.[ros]'
	@touch $@

$(VENV)/view.stamp: $(VENV)/vehicle.stamp
	@echo "Installing Rerun into $(VENV) ..."
	@$(BIN)/python $(INSTALL) -e '.[view]'
	@touch $@

$(VENV)/everything.stamp: setup.py | $(BIN)/python
	@echo "Installing the package, ROS 2, PyTorch and the test tools into $(VENV) ..."
	@$(BIN)/python $(INSTALL) -e '.[ros,training,test,lint,view]'
	@touch $@ $(VENV)/vehicle.stamp $(VENV)/view.stamp

$(VENV_312)/vehicle.stamp: setup.py
	@python=$$($(FIND_312)); [ -n "$$python" ] || { echo "No python3.12 here."; exit 1; }; \
	[ -x $(VENV_312)/bin/python ] || "$$python" -m venv --clear $(VENV_312)
	@echo "Installing the package, ROS 2 and the test tools into $(VENV_312) ..."
	@$(VENV_312)/bin/python $(INSTALL) -e '.[ros,test]'
	@touch $@

clean: ## removes what was built, not the virtual environments
	rm -rf build install log dist *.egg-info .pytest_cache .ruff_cache demo.png demo.mp4
	find . -name __pycache__ -not -path './.venv*' -prune -exec rm -rf {} +

distclean: clean ## removes the virtual environments too
	rm -rf $(VENV) $(VENV_312)
