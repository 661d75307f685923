# Everything runs in .venv, which is made when it is first needed and again when pyproject.toml or constraints.txt change.
# PYTHON=python3.12 make demo   uses another interpreter (3.11 to 3.13).

PYTHON ?= python3
CORES := $(shell getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)
WORKERS ?= $(shell echo $$(( $(CORES) > 4 ? 4 : $(CORES) < 2 ? 2 : $(CORES) )))
BIN := .venv/bin
INSTALLED := .venv/.installed
# Where Python may not keep byte code, as in many containers, every process would compile all that it imports anew:
# half the time of the tests. What does not change is compiled beforehand.
COMPILED := $(if $(PYTHONDONTWRITEBYTECODE),--compile-bytecode)

.DEFAULT_GOAL := help
.PHONY: help install demo test check style types layers format ui bench bench-search bench-throughput bench-ensembles soak docs schema lock clean

help:  ## Show the targets
	@awk -F ':.*##  *' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(INSTALLED)  ## Make .venv and install everything into it, with the pinned versions

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' \
		|| { echo "$(PYTHON) is not Python 3.11 to 3.13; name another one: make PYTHON=python3.12 …" >&2; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python -c constraints.txt $(COMPILED) -e '.[dev]'
	@touch $@

demo: $(INSTALLED)  ## Search, blend, submit and register on a small real data set, in minutes
	$(BIN)/python experiments/breast_cancer/make_data.py
	$(BIN)/workbench run experiments/breast_cancer

test: $(INSTALLED)  ## Run the tests, a process a core, 2 to 4 (WORKERS=8 for more)
	$(if $(COMPILED),$(BIN)/python -m compileall -q workbench)
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup

check: style types layers  ## Check style, format, types and the layers (make -k check: all of them, whatever fails)

style: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(INSTALLED)
	$(BIN)/mypy

layers: $(INSTALLED)
	$(BIN)/lint-imports

format: $(INSTALLED)  ## Repair style and format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

ui: $(INSTALLED)  ## Serve MLflow and TensorBoard of the demo on this machine
	$(BIN)/workbench ui experiments/breast_cancer

bench: $(INSTALLED)  ## Measure seconds to --help, to the first trial, and for the demo
	$(BIN)/python -m benchmarks.startup

bench-search: $(INSTALLED)  ## Measure a search beside its training: use of the cores, the driver's work, memory (10 minutes)
	$(BIN)/python -m benchmarks.search

bench-throughput: $(INSTALLED)  ## Measure trials a minute beside KerasTuner's and Optuna's (2 hours)
	$(BIN)/python -m benchmarks.throughput

bench-ensembles: $(INSTALLED)  ## Measure methods of ensembles beside others, and blends on test rows (an hour, with the searches)
	$(BIN)/python -m benchmarks.ensembles --search
	$(BIN)/python -m benchmarks.ensembles
	$(BIN)/python -m benchmarks.ensembles --tables

soak: $(INSTALLED)  ## Run the tests that take minutes: kill and resume, again and again
	$(BIN)/python -m pytest -m soak --timeout 3600 tests

docs: $(INSTALLED)  ## Build the documentation into site/
	NO_MKDOCS_2_WARNING=true $(BIN)/mkdocs build --strict --quiet

schema: $(INSTALLED)  ## Write the JSON schema of experiment.yaml for editors
	$(BIN)/python -m workbench.config docs/experiment.schema.json

lock: $(INSTALLED)  ## Pin the newest versions that fit together in constraints.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --all-extras --upgrade --no-header --no-annotate \
		--no-emit-index-url --no-emit-find-links --output-file .venv/constraints.txt pyproject.toml
	@{ echo "# Every version pinned, for Python 3.11 to 3.13 on every platform. 'make lock' writes this file."; \
		cat .venv/constraints.txt; } > constraints.txt

clean:  ## Remove what was built and measured, and .venv; experiments' stores stay
	rm -rf .venv build dist site .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
