# Two commands on a fresh machine: `make demo` and `make test`. They need Python 3.11 or newer, make and pip.
PYTHON ?= python3
PORT ?= 8000
MINUTES ?= 10
SEED ?= 1
SOAK ?=
FAST := tests/core tests/report tests/signals tests/test_language.py tests/test_package.py tests/test_rendering.py
VENV := .venv
BIN := $(VENV)/bin

# Processes that share the tests; 0 runs them in one, as a debugger needs.
JOBS ?= auto
PYTEST := $(BIN)/python -m pytest -n $(JOBS) --maxprocesses 4 --dist worksteal

.PHONY: demo test check proof soak lint docs clean

demo: $(VENV)/server.installed
	@$(BIN)/aipolicy demo --port $(PORT)

test: $(VENV)/test.installed
	$(PYTEST)

# The linters and the fast tests: under a minute on two cores, from the second time on.
check: lint
	$(PYTEST) -q -m 'not slow and not proof' $(FAST)

# The tests that have a larger size than CI's, at that size, and a soak of MINUTES: some two hours.
proof: $(VENV)/test.installed
	AIPOLICY_PROOF=1 $(BIN)/python -m pytest -m proof
	$(MAKE) soak

# As root it tries a full disk, too, and with Debian's faketime installed a clock that jumps back.
soak: $(VENV)/test.installed
	$(BIN)/python -m tests.soak --minutes $(MINUTES) --seed $(SEED) $(SOAK)

lint: $(VENV)/lint.installed
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

# The documentation as a site, in build/site.
docs: $(VENV)/docs.installed
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet --strict

clean:
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

# Debian's python3 has no ensurepip: there the environment is made without pip, and the system's pip fills it.
$(BIN)/python:
	@$(PYTHON) -c 'import sys; v = sys.version_info; v >= (3, 11) or sys.exit("aipolicy needs Python 3.11 or newer, and $(PYTHON) is %d.%d: name another, as in PYTHON=python3.12 make test" % v[:2])'
	$(PYTHON) -m venv $(VENV) 2>/dev/null || $(PYTHON) -m venv --clear --without-pip $(VENV)

$(VENV)/%.installed: pyproject.toml $(BIN)/python
	$(PYTHON) -m pip --python $(BIN)/python install --quiet --disable-pip-version-check --editable '.[$*]'
	@touch $@
