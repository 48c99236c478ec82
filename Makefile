# Each command makes the .venv it needs first. PYTHON chooses the interpreter, 3.11 to 3.13:
#   make train PYTHON=python3.12
# On Linux, PyTorch's usual build brings 4.5 GB for NVIDIA GPUs. Where no such GPU answers, its
# CPU-only build is installed, by uv, which knows where PyTorch keeps it; if that is out of reach, the
# usual one. TORCH=cpu or TORCH=default decides it for a new .venv:
#   make train TORCH=cpu
# Anything after `make train` goes in ARGS:
#   make train ARGS="--preset mnist64 --seed 3"
# the number of a notebook to begin anew, or to make slides of, in NOTEBOOK:
#   make anew NOTEBOOK=05
# and after `make bench`, which then measures these parts only, in PARTS:
#   make bench PARTS="startup scaling"

PYTHON ?= python3
TORCH ?= $(shell [ "$$(uname -s)" = Linux ] && ! nvidia-smi -L >/dev/null 2>&1 && echo cpu || echo default)
ARGS ?= --preset classroom
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --constraint constraints.txt
NBVAL := $(BIN)/python -m pytest --nbval --nbval-sanitize-with tests/course/nbval.cfg -p nbval_times
NOTEBOOKS := $(wildcard notebooks/*.ipynb)

.PHONY: train lab anew changes test unit nbval handout slides pages notebooks figures results bench format types

train: .venv/installed
	$(BIN)/python -m dcgan_utils train $(ARGS)

lab: .venv/installed
	$(BIN)/python -m notebooks

anew: .venv/installed
	$(BIN)/python -m notebooks anew $(or $(NOTEBOOK),which)

changes: .venv/installed
	$(BIN)/python -m notebooks changes

test: .venv/installed
	@echo "Tests of the package, the house and the exercises: 2 to 5 minutes on 2 cores. Then all notebooks again: 3 to 10."
	$(BIN)/python -m pytest tests --durations=5
	$(NBVAL) $(NOTEBOOKS)

unit: .venv/installed
	$(BIN)/python -m pytest -m "not slow" tests/unit

nbval: .venv/installed
	$(NBVAL) $(NOTEBOOKS)

handout: .venv/installed
	$(BIN)/jupyter nbconvert --to notebook --output-dir=handout --TagRemovePreprocessor.enabled=True \
		--TagRemovePreprocessor.remove_cell_tags=solution $(NOTEBOOKS)

# reveal.js comes whole with a package for Sphinx, which itself is not needed.
slides: .venv/installed
	$(PIP) --quiet --no-deps sphinx-revealjs
	$(BIN)/python -m notebooks.slides $(NOTEBOOK)

pages: .venv/installed
	$(BIN)/jupyter nbconvert --to html --output-dir=pages --template=course \
		--TemplateExporter.extra_template_basedirs=notebooks/jupyter/nbconvert/templates $(NOTEBOOKS)

notebooks: .venv/installed
	PYTHONSTARTUP="$(CURDIR)/notebooks/alt_texts.py" $(BIN)/jupyter nbconvert --to notebook --execute --inplace \
		--ExecutePreprocessor.record_timing=False $(NOTEBOOKS)
	$(BIN)/python -m nbconvert --to notebook --inplace --CoalesceStreamsPreprocessor.enabled=True \
		--NotebookExporter.preprocessors=notebooks.few_colors.FewColors $(NOTEBOOKS)

figures: .venv/installed
	$(BIN)/python -m figures

results: .venv/installed
	$(BIN)/python -m experiments.tables
	$(BIN)/python -m figures.house

bench: .venv/installed
	$(BIN)/python -m experiments.bench $(PARTS)

format: .venv/installed
	$(BIN)/ruff format . && $(BIN)/ruff check --fix .

types: .venv/installed
	$(BIN)/python -m mypy

# The two packages alone: the command after it finds them and leaves them as they are. uv knows the
# address, and gives up after 15 seconds of silence.
CPU_BUILD = echo "Installing PyTorch's CPU-only build, as TORCH is cpu."; \
	$(PIP) --quiet uv && UV_HTTP_RETRIES=0 UV_HTTP_TIMEOUT=15 $(BIN)/python -m uv pip install --quiet \
	--python $(BIN)/python --constraint constraints.txt --no-deps --torch-backend cpu torch torchvision 2>/dev/null || \
	echo "It is out of reach: the usual build follows, with 4.5 GB for GPUs."

.venv/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; (3, 11) <= v <= (3, 13) or sys.exit(f"Python {v[0]}.{v[1]} found, 3.11 to 3.13 needed. Install one and name it: make train PYTHON=python3.12")'
	$(if $(filter-out cpu default,$(TORCH)),$(error TORCH is '$(TORCH)'; allowed: cpu, default))
	$(PYTHON) -m venv .venv
	@$(if $(filter cpu,$(TORCH)),$(CPU_BUILD))
	$(PIP) --editable ".[test]"
	@touch $@
