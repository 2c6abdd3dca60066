# make demo   the two commands on an example picture, beside PNG and WebP
# make test   the tests
# make check  format, lint, types and tests: what CI runs
# make check-wheel  the tests, or TESTS, against the built wheel in an environment of its own
# make bench  DATA=folder of pictures: the tables of benchmarks/results/
# make paper  DATA=folder of the paper's sets: its tables, figures and ablations (days on a CPU, but for finished RUNS)

PYTHON ?= python3
BIN := .venv/bin
DATA ?=
RUNS ?= runs
TESTS ?=
SETS := mnist-static mnist-dynamic omniglot caltech cifar10

ABLATIONS = $(BIN)/python -m benchmarks.ablations --data "$(DATA)" --runs "$(RUNS)"

.PHONY: venv demo test check check-wheel bench paper clean

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

# The installed package is the one that is imported: of the source tree only what is named here is beside the tests.
# Left out are the tests of pages and of the wheel's own building, which are about the tree.
WHEEL := build/wheel
CARRIED := tests benchmarks docs models pyproject.toml constraints.txt

check-wheel:
	rm -rf $(WHEEL) && mkdir -p $(WHEEL)/tree
	$(PYTHON) -m venv $(WHEEL)/env
	$(WHEEL)/env/bin/pip wheel --no-deps -w $(WHEEL) .
	$(WHEEL)/env/bin/pip install torch==2.13.0 -c constraints.txt
	$(WHEEL)/env/bin/pip install "$$(echo $(WHEEL)/vlaezip-*.whl)[dev,bench]" -c constraints.txt
	cp -R $(CARRIED) $(WHEEL)/tree
	cd $(WHEEL)/tree && ../env/bin/python -c "import vlaezip as v; assert 'site-packages' in v.__file__, v.__file__"
	cd $(WHEEL)/tree && ../env/bin/python -m pytest --ignore tests/test_docs.py --ignore tests/test_wheel.py $(TESTS)

bench: venv
	@test -n "$(DATA)" || { echo "usage: make bench DATA=folder-of-pictures" >&2; exit 2; }
	$(BIN)/python -m benchmarks.lossless --data "$(DATA)"
	$(BIN)/python -m benchmarks.learning --data "$(DATA)"
	$(BIN)/python -m benchmarks.drawn
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

paper: venv
	@test -n "$(DATA)" || { echo "usage: make paper DATA=folder-of-sets [RUNS=folder]" >&2; exit 2; }
	$(BIN)/python -m benchmarks.bounds --data "$(DATA)" --limit 10000
	for set in mnist-static caltech cifar10; do $(BIN)/python -m benchmarks.archives --data "$(DATA)" --set $$set || exit 1; done
	$(ABLATIONS) prior --steps 2000 --samples 16 --limit 1000 --start models/float/mnist-dynamic-lossless.safetensors
	$(ABLATIONS) z --preset omniglot --steps 1000 --samples 64 --limit 600 --start models/float/omniglot-lossless.safetensors
	$(ABLATIONS) levels --steps 6000 --samples 32 --limit 1000
	$(ABLATIONS) decoder --steps 1500 --only factorised
	$(ABLATIONS) decoder --preset cifar10 --steps 2000 --start models/float/cifar10-lossless.safetensors --only factorised
	$(ABLATIONS) window --steps 2000 --samples 8 --limit 100 --start models/float/cifar10-lossless.safetensors
	$(ABLATIONS) beta --steps 600 --samples 8 --limit 500 --start models/float/mnist-dynamic-lossless.safetensors
	$(BIN)/python -m benchmarks.probe --data "$(DATA)" --set mnist-static
	$(BIN)/python -m benchmarks.probe --data "$(DATA)" --set mnist-dynamic --factorised "$(RUNS)/mnist-dynamic-decoder-factorised"
	$(BIN)/python -m benchmarks.probe --data "$(DATA)" --set cifar10 --factorised "$(RUNS)/cifar10-decoder-factorised"
	for set in $(SETS); do $(BIN)/vlaezip reconstruct --set $$set --data "$(DATA)" --zoom 3 -o "$(RUNS)/pairs-$$set.png" || exit 1; done
	for set in $(SETS); do $(BIN)/vlaezip sample --model $$set --zoom 3 -o "$(RUNS)/drawn-$$set.png" || exit 1; done

clean:
	rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
