# make demo      a weak-to-strong experiment from end to end, offline once installed
# make test      the tests, without those marked slow
# make test-all  every test
# make check     style, types, and the documentation
# make docs      the guides and the reference as a site: docs/_build/index.html
# make bench     measures everything against what people use instead, within 45 minutes; writes docs/benchmarks.md
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet -c constraints.txt
export OMP_NUM_THREADS ?= 1
export TOKENIZERS_PARALLELISM ?= false

.PHONY: help demo test test-all check docs bench
help:
	@sed -n 's/^# //p' Makefile

# What is installed is written down in a stamp, so that a changed pyproject.toml or constraints.txt installs anew.
$(VENV)/.train: pyproject.toml constraints.txt
	@echo 'Into $(VENV) go outgrow, torch, transformers and what they need: about 1.6 GB with a torch for CPUs, about 7 GB'
	@echo 'with the one for NVIDIA cards, which is the usual one for Linux. For the smaller one stop here, make $(VENV) and install'
	@echo "torch's build for CPUs into it first (pytorch.org, Get started)."
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) -e '.[train]'
	touch $@

$(VENV)/.all: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) -e '.[train,test,docs,minilm,quantise,hub,math,server,cleanlab,ray,s3,mlflow]'
	touch $(VENV)/.train $@

$(VENV)/.bench: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) -e '.[bench]'
	touch $(VENV)/.train $@

demo: $(VENV)/.train
	$(BIN)/outgrow run

test: $(VENV)/.all
	$(BIN)/python -m pytest -n 2 --dist loadscope -m "not slow"

test-all: $(VENV)/.all
	$(BIN)/python -m pytest -n 2

check: $(VENV)/.all docs
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(VENV)/.all
	$(BIN)/python -m sphinx -q -W --keep-going -b html -c docs . docs/_build

bench: $(VENV)/.bench
	$(BIN)/python benchmarks/all.py
