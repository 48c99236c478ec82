# Each command makes the .venv it needs first. PYTHON chooses the interpreter, 3.11 to 3.13:
#   make train PYTHON=python3.12
# uv installs the build of PyTorch that fits this machine: without an NVIDIA GPU the CPU-only one,
# which saves 4.5 GB. TORCH names another of its backends for a new .venv:
#   make train TORCH=cpu
# Anything after `make train` goes in ARGS:
#   make train ARGS="--preset mnist64 --seed 3"
# and the number of a notebook to begin anew, or to translate and run, in NOTEBOOK:
#   make anew NOTEBOOK=05
# NOTEBOOKS names those that nbval, handout or notebooks take:
#   make nbval NOTEBOOKS=notebooks/05*.ipynb

PYTHON ?= python3
TORCH ?= auto
ARGS ?= --preset classroom
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --constraint constraints.txt
NOTEBOOKS := $(shell ls -r notebooks/*.ipynb)
# Two processes with a thread each; a file's tests, or a notebook's cells, stay in one process. What
# takes long, the later notebooks, begins first.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder
NBVAL := --nbval --nbval-sanitize-with tests/course/nbval.cfg -p nbval_times

.PHONY: train lab anew changes test unit nbval lint format handout notebooks zh results site bench

train: .venv/installed
	$(BIN)/python -m dcgan_utils train $(ARGS)

lab: .venv/installed
	$(BIN)/python -m notebooks $(ARGS)

anew: .venv/installed
	$(BIN)/python -m notebooks anew $(or $(NOTEBOOK),which)

changes: .venv/installed
	$(BIN)/python -m notebooks changes

test: .venv/with-test
	@echo "All notebooks again, and all tests: about 12 minutes on 2 cores."
	$(PYTEST) $(NBVAL) $(NOTEBOOKS) tests

unit: .venv/with-test
	$(PYTEST) -m "not slow" tests

nbval: .venv/with-test
	$(PYTEST) $(NBVAL) $(NOTEBOOKS)

lint: .venv/with-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/python -m mypy

format: .venv/with-dev
	$(BIN)/ruff format . && $(BIN)/ruff check --fix .

handout: .venv/installed
	$(BIN)/python -m nbconvert --to notebook --output-dir=handout --TagRemovePreprocessor.enabled=True \
		--TagRemovePreprocessor.remove_cell_tags=solution $(NOTEBOOKS)

notebooks: .venv/installed
	PYTHONSTARTUP="$(CURDIR)/notebooks/alt_texts.py" $(BIN)/python -m nbconvert --to notebook --execute --inplace \
		--ExecutePreprocessor.record_timing=False $(NOTEBOOKS)
	$(BIN)/python -m nbconvert --to notebook --inplace --CoalesceStreamsPreprocessor.enabled=True \
		--NotebookExporter.preprocessors=notebooks.few_colors.FewColors $(NOTEBOOKS)

zh: .venv/installed
	$(BIN)/python -m notebooks.translate zh $(NOTEBOOK)

results: .venv/installed
	$(BIN)/python -m experiments report
	$(BIN)/python -m figures.house

site: .venv/with-site
	$(BIN)/python -m sphinx -W --keep-going -q -c site -d build/doctrees . build/site
	@echo "Open build/site/index.html."

bench: .venv/installed
	$(BIN)/python -m experiments run speed

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	-$(PIP) uv
	UV_HTTP_TIMEOUT=15 $(BIN)/python -m uv pip install --python $(BIN)/python --torch-backend $(TORCH) \
		--constraint constraints.txt --editable . || $(PIP) --editable .  # the usual build
	@touch $@

.venv/with-%: .venv/installed
	$(PIP) --editable ".[$*]"
	@touch $@
