# Every target sets up what it needs. PYTHON names another interpreter; SECONDS ends the demo and
# the fuzzing.

PYTHON ?= python3
QUICKFIX := 1.16.0
ATHERIS := 3.0.0

BIN := .venv/bin
READY := .venv/.ready
QUICKFIX_BIN := .venv-quickfix/bin
QUICKFIX_READY := .venv-quickfix/.ready
FUZZ_BIN := .venv-fuzz/bin
FUZZ_READY := .venv-fuzz/.ready
PIP := -m pip --disable-pip-version-check -qq

# A leg that runs no test fails: pytest then exits with 5.
PYTEST := $(BIN)/python -m pytest -q
SIDE_BY_SIDE := -n 2 --dist loadfile
FAST := not slow and not kill and not quickfix

.DEFAULT_GOAL := help
.NOTPARALLEL:
.DELETE_ON_ERROR:
.PHONY: help demo test test-production test-compiled test-sockets test-nojit test-bounds
.PHONY: test-sockets-beside-nojit test-kill test-quickfix bench fuzz lint clean

help:
	@echo 'make demo [SECONDS=n]   the whole venue on this machine, with sample clients and quotes'
	@echo 'make test               production, interpreted and bounds-checked legs'
	@echo 'make test-kill          kill the server again and again, compare what it recovers'
	@echo 'make test-quickfix      QuickFIX as the client (builds it; needs a C++ compiler)'
	@echo 'make fuzz TARGET=t      coverage-guided fuzzing [SECONDS=n] [KEEP=1]: tests/fuzz/README.md'
	@echo 'make bench              the micro-benchmarks; `si bench` has the latency ladder'
	@echo 'make lint               ruff and mypy'
	@echo 'make clean              remove environments, caches and build products'

demo: $(READY)
	@$(BIN)/si demo $(if $(SECONDS),--seconds '$(SECONDS)')

test: test-compiled test-sockets-beside-nojit test-bounds

test-production: test-compiled test-sockets

test-compiled: $(READY)
	@echo '== production: as compiled for use'
	@$(PYTEST) tests bench $(SIDE_BY_SIDE) -m '$(FAST) and not sockets'

test-sockets: $(READY)
	@echo '== production, with engines of their own'
	@$(PYTEST) tests bench $(SIDE_BY_SIDE) -m '(slow or sockets) and not kill and not quickfix'

# Tests and engines wait for each other half of the time: the interpreted leg has what they leave.
test-sockets-beside-nojit: $(READY)
	@mkdir -p .cache
	@nice $(MAKE) --no-print-directory test-nojit >.cache/nojit.log 2>&1 & nojit=$$!; \
	  trap 'kill $$nojit 2>/dev/null' EXIT; trap 'exit 143' INT TERM; status=0; \
	  $(MAKE) --no-print-directory test-sockets || status=$$?; \
	  wait $$nojit || status=$$?; cat .cache/nojit.log; exit $$status

test-nojit: $(READY)
	@echo '== interpreted: the same code without the compiler, with branch coverage of engine/'
	@NUMBA_DISABLE_JIT=1 $(PYTEST) tests $(SIDE_BY_SIDE) --cov=engine \
	  -m '$(FAST) and not sockets and not pure and not heavy'

test-bounds: $(READY)
	@echo '== bounds-checked: compiled with a check of every index'
	@NUMBA_BOUNDSCHECK=1 SI_CACHE_DIR="$$PWD/.cache/bounds" $(PYTEST) tests $(SIDE_BY_SIDE) \
	  -m '$(FAST) and not sockets and not pure'

test-kill: $(READY)
	@echo '== kill: recovery after a killed server'
	@$(PYTEST) tests -m kill

test-quickfix: $(QUICKFIX_READY)
	@echo '== quickfix: an independent FIX 4.4 client'
	@$(QUICKFIX_BIN)/python -m pytest -q tests -m quickfix

fuzz: $(FUZZ_READY)
	@$(FUZZ_BIN)/python -m tests.fuzz $(TARGET) $(if $(SECONDS),--seconds '$(SECONDS)') \
	  $(if $(KEEP),--keep)

bench: $(READY)
	@$(BIN)/python -m pytest -q bench --benchmark-enable --benchmark-only

lint: $(READY)
	@echo '== lint: ruff check, ruff format, mypy'
	@$(BIN)/python -m ruff check .
	@$(BIN)/python -m ruff format --check .
	@$(BIN)/python -m mypy

clean:
	@echo 'removing environments, caches and build products'
	@rm -rf .venv .venv-quickfix .venv-fuzz .cache .benchmarks .coverage .hypothesis build dist
	@rm -rf *.egg-info .mypy_cache .pytest_cache .ruff_cache
	@find bench engine gateway refdata tests -name __pycache__ -type d -prune -exec rm -rf {} +

# An environment whose Python has gone is made anew; any other is brought up to date.
define make_venv
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo 'Python 3.11 or newer is needed; "$(PYTHON)" is' \
	    "$$("$(PYTHON)" --version 2>&1 || true). Name another one: make PYTHON=python3.12 ..." >&2; \
	  exit 1; }
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo 'The venv module of "$(PYTHON)" is missing; on Debian: apt-get install python3-venv' >&2; \
	  exit 1; }
	@echo 'setting up $(@D) from requirements.lock'
	@"$(@D)/bin/python" -m pip --version >/dev/null 2>&1 || "$(PYTHON)" -m venv --clear "$(@D)"
	@"$(@D)/bin/python" $(PIP) install -r requirements.lock
	@"$(@D)/bin/python" $(PIP) install --no-deps --no-build-isolation -e .
endef

$(READY): requirements.lock pyproject.toml
	$(make_venv)
	@touch $@

$(QUICKFIX_READY): requirements.lock pyproject.toml
	$(make_venv)
	@"$(PYTHON)" -c 'import os, sysconfig as s; os.stat(s.get_path("include") + "/Python.h")' \
	  2>/dev/null && command -v c++ >/dev/null || { \
	  echo 'QuickFIX is built from source: a C++ compiler and the Python headers are needed;' \
	    'on Debian: apt-get install g++ python3-dev' >&2; exit 1; }
	@echo 'building quickfix $(QUICKFIX) from source: minutes, once'
	@CXXFLAGS='-O0 -g0' "$(@D)/bin/python" $(PIP) install --no-build-isolation 'quickfix==$(QUICKFIX)'
	@touch $@

$(FUZZ_READY): requirements.lock pyproject.toml
	$(make_venv)
	@"$(@D)/bin/python" $(PIP) install --only-binary :all: 'atheris==$(ATHERIS)' || { \
	  echo 'atheris $(ATHERIS) needs a wheel: there are some for Python 3.11 to 3.13 on Linux' \
	    'x86-64. Name one: make PYTHON=python3.12 fuzz ...' >&2; exit 1; }
	@touch $@
