# On a machine with Python 3.11+ and make: `make demo` shows what infersim does, `make test` checks it (`make quick`
# what is soon checked), and `make demo-measured` measures this machine's CPU (MEASURED_DEVICE=cuda:0: its GPU) and compares.
PYTHON ?= python3
VENV := .venv
OLDEST := .venv-oldest
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check

MEASURED_DEVICE := cpu
DEMO_GPUS := a100-sxm-80gb,h100-sxm,rtx-pro-6000

# Bytecode is kept, whatever the environment says: some hundred tests start Python anew.
export PYTHONDONTWRITEBYTECODE =

# Tests share the cores; one that calculates with several threads would slow its neighbours. A file's tests run on
# one core: what they share, such as pages opened in a browser, is made once.
WORKERS := --numprocesses auto --maxprocesses 8 --dist loadfile --no-loadscope-reorder
FAST := -m "not slow and not browser"
# How `make quick` runs its four checks: side by side, each with its output in one piece.
BESIDE := --keep-going --jobs 4 $(if $(filter output-sync,$(.FEATURES)),--output-sync=target)

.PHONY: demo demo-measured notebooks quick test coverage oldest lint style types layers fast bench readme accuracy docs clean

demo: $(VENV)/runtime.stamp
	$(BIN)/infersim reproduce beyond-flops
	@echo
	$(BIN)/infersim compare --model llama-3.1-8b --gpu $(DEMO_GPUS) --families all --sparsity 0.5 \
		--phase both --batch 1 --context 4096 --html report.html
	@echo "Open report.html in a browser for the figures."

demo-measured: $(VENV)/measure.stamp
	INFERSIM=$(BIN)/infersim calibration/run_on_gpu.sh --device $(MEASURED_DEVICE) --out out/measured-$(MEASURED_DEVICE)
	@echo "Open out/measured-$(MEASURED_DEVICE)/report.html in a browser for the figures."

# Run in a kernel of .venv; "notebook" is the renderer that puts plotly.js into the page once.
notebooks: $(VENV)/notebooks.stamp
	PLOTLY_RENDERER=notebook $(BIN)/python -m nbconvert --execute --to html --output-dir out/notebooks notebooks/*.ipynb
	@echo "Open the pages in out/notebooks in a browser, or work with the notebooks: $(BIN)/jupyter lab notebooks"

quick: $(VENV)/dev.stamp
	@$(MAKE) --no-print-directory $(BESIDE) style types layers fast

test: lint $(VENV)/dev-all.stamp
	$(BIN)/python -m pytest $(WORKERS) --durations 10

# Which lines of infersim/ the tests run: counting them takes half as long again.
coverage: $(VENV)/dev-all.stamp
	$(BIN)/python -m pytest $(WORKERS) --cov infersim --cov-report=
	@$(BIN)/coverage report --skip-covered --sort cover | sed -n 1,12p
	@echo "Lines of infersim/ that tests run: $$($(BIN)/coverage report --format total) %"

# The fast tests on the lowest versions of what infersim imports that pyproject.toml allows.
oldest: $(OLDEST)/dev.stamp
	$(OLDEST)/bin/python -m pytest $(WORKERS) $(FAST)

lint: style types layers

style: $(VENV)/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/dev.stamp
	$(BIN)/mypy

layers: $(VENV)/dev.stamp
	$(BIN)/lint-imports

fast: $(VENV)/dev.stamp
	$(BIN)/python -m pytest $(WORKERS) $(FAST)

bench: $(VENV)/dev-all.stamp
	$(BIN)/python bench
	$(BIN)/python -m pytest $(WORKERS) $(FAST) --hypothesis-profile searching

# README and docs show what commands print and what is computed; after a change of numbers, write that anew.
readme: $(VENV)/dev.stamp
	PYTHONPATH=docs $(BIN)/python -m _generate.readme

# The error figures of docs/accuracy.md, from published measurements in ../shared/data; without them they stay.
accuracy: $(VENV)/dev.stamp
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python bench/accuracy_rows.py
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python bench/served_rows.py
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python bench/served_fit.py
	PYTHONPATH=docs $(BIN)/python -m _generate.readme

docs: $(VENV)/docs.stamp
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build
	@echo "Open out/site/index.html in a browser: it needs no server and no network."

clean:
	rm -rf $(VENV) $(OLDEST) report.html

$(VENV)/created.stamp:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "$(PYTHON) is older than 3.11: choose another with make PYTHON=python3.11" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/runtime.stamp: $(VENV)/created.stamp pyproject.toml
	$(INSTALL) --editable .
	@touch $@

$(VENV)/measure.stamp: $(VENV)/created.stamp pyproject.toml
	$(INSTALL) --editable '.[measure]'
	@touch $@ $(VENV)/runtime.stamp

$(VENV)/notebooks.stamp: $(VENV)/created.stamp pyproject.toml
	$(INSTALL) --editable '.[notebooks]'
	@touch $@ $(VENV)/runtime.stamp

$(VENV)/docs.stamp: $(VENV)/created.stamp pyproject.toml
	$(INSTALL) --editable '.[docs]'
	@touch $@ $(VENV)/runtime.stamp

$(VENV)/dev.stamp: $(VENV)/created.stamp pyproject.toml
	$(INSTALL) --editable '.[dev]'
	@touch $@ $(VENV)/runtime.stamp

$(VENV)/dev-all.stamp: $(VENV)/created.stamp pyproject.toml
	$(INSTALL) --editable '.[dev-all]'
	@touch $@ $(VENV)/runtime.stamp $(VENV)/measure.stamp $(VENV)/docs.stamp $(VENV)/dev.stamp

$(OLDEST)/dev.stamp: pyproject.toml tests/lowest_versions.py
	$(PYTHON) -m venv --clear $(OLDEST)
	$(PYTHON) tests/lowest_versions.py pyproject.toml > $(OLDEST)/constraints.txt
	$(OLDEST)/bin/python -m pip install --quiet --disable-pip-version-check \
		--constraint $(OLDEST)/constraints.txt --editable '.[app]' hypothesis pytest pytest-xdist
	@touch $@
