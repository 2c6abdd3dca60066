# make demo   the two commands on an example picture, beside PNG and WebP
# make test   the tests
# make check  format, lint, types and tests: what CI runs
# make bench  DATA=folder of pictures: the tables of benchmarks/results/

PYTHON ?= python3
BIN := .venv/bin
DATA ?=

.PHONY: venv demo test check bench clean

venv: .venv/installed

# torch comes first and by itself, so that pip takes a CPU build where its index has one.
.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install torch==2.13.0 -c constraints.txt
	$(BIN)/pip install -e '.[dev,bench]' -c constraints.txt
	touch $@

demo: venv
	$(BIN)/python -m benchmarks.demo

test: venv
	$(BIN)/python -m pytest

check: venv
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/python -m pytest

bench: venv
	@test -n "$(DATA)" || { echo "usage: make bench DATA=folder-of-pictures" >&2; exit 2; }
	$(BIN)/python -m benchmarks.lossless --data "$(DATA)"
	$(BIN)/python -m benchmarks.effort --data "$(DATA)" --efforts 0,9
	$(BIN)/python -m benchmarks.price --data "$(DATA)"
	$(BIN)/python -m benchmarks.parity --data "$(DATA)"
	$(BIN)/python -m benchmarks.lossy --data "$(DATA)"
	$(BIN)/python -m benchmarks.dream --data "$(DATA)"
	$(BIN)/python -m benchmarks.speed --data "$(DATA)"
	$(BIN)/python -m benchmarks.memory --data "$(DATA)"
	$(BIN)/python -m benchmarks.memory --data "$(DATA)" --megapixels 100
	$(BIN)/python -m benchmarks.ans --data "$(DATA)"
	$(BIN)/python -m benchmarks.stages --data "$(DATA)"
	$(BIN)/python -m benchmarks.scaling --data "$(DATA)"
	$(BIN)/python -m benchmarks.fuzz

clean:
	rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
