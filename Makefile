# make demo: from nothing to pictures.  make test: every check there is.  Another interpreter: make PYTHON=python3.12 demo
.DEFAULT_GOAL := help
.PHONY: demo test lint docs course box lock clean help

VENV := .venv
BIN := $(VENV)/bin
PYTHON ?=
PYTEST_ARGS ?=
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile -c constraints.txt

# Byte-compiling all of torch takes longer than installing it: Python compiles what it imports, once, if it is allowed to.
unexport PYTHONDONTWRITEBYTECODE

demo: $(VENV)/.installed  ## install into .venv, show what ships, then train and sample a tiny model on drawn shapes
	$(BIN)/unclip demo

test: $(VENV)/.installed-test  ## install the test tools, then run every test (ruff, pyright and the layers are tests too)
	$(BIN)/python -m pytest -q -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder --durations 10 $(PYTEST_ARGS)

lint: $(VENV)/.installed-test  ## only ruff, pyright and the layers
	$(BIN)/ruff check
	$(BIN)/basedpyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports

docs: $(VENV)/.installed-docs  ## site/index.html: all pages, the course as it was run, and the API reference from the docstrings
	rm -rf docs/reference site
	$(BIN)/python -m tools.reference docs/reference
	$(BIN)/python -m mkdocs build --quiet --strict --site-dir site

course: $(VENV)/.installed-test  ## course/*.ipynb: the units that have changed, run as notebooks (minutes each)
	$(BIN)/python -m tools.course

$(VENV)/.made:
	@for python in $(or $(PYTHON),python3.11 python3); do \
	    if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	        echo "making $(VENV) with $$($$python --version)"; \
	        $$python -m venv --clear $(VENV) && touch $@; exit; \
	    fi; \
	done; \
	echo "unclip needs Python 3.11 or newer, found none as: $(or $(PYTHON),python3.11 python3). Install it, or name it: make PYTHON=/path/to/python" >&2; \
	exit 1

$(VENV)/.installed: $(VENV)/.made pyproject.toml constraints.txt
	@echo "installing unclip into $(VENV) (torch is large: this takes a while the first time)"
	@$(PIP_INSTALL) -e '.[plots,parquet,serve]'
	@touch $@

$(VENV)/.installed-test: $(VENV)/.made pyproject.toml constraints.txt
	@echo "installing unclip and its test tools into $(VENV) (torch is large: this takes a while the first time)"
	@$(PIP_INSTALL) -e '.[test]'
	@touch $@ $(VENV)/.installed $(VENV)/.installed-docs

$(VENV)/.installed-docs: $(VENV)/.made constraints.txt
	@$(PIP_INSTALL) mkdocs latex2mathml
	@touch $@

box: $(VENV)/.installed  ## two finished runs become the models that ship: make box EMOJI=runs/emoji SHAPES=runs/shapes
	$(BIN)/python -m tools.box emoji $(EMOJI) --about "Noto Color Emoji (Apache-2.0) with their names" $(EMOJI_ARGS)
	$(BIN)/python -m tools.box shapes $(SHAPES) --about "drawn shapes with captions" $(SHAPES_ARGS)

lock: $(VENV)/.made  ## constraints-hashed.txt from constraints.txt: the SHA-256 of each wheel, for pip --require-hashes
	@mkdir -p build
	$(BIN)/python -m pip install --quiet --dry-run --no-deps --ignore-installed --report build/lock.json -r constraints.txt
	$(BIN)/python benchmarks/lock.py build/lock.json > constraints-hashed.txt

clean:  ## remove .venv and caches; runs/ and out/ stay
	rm -rf $(VENV) build dist docs/reference site .pytest_cache .ruff_cache .import_linter_cache
	find src tests tools -name __pycache__ -type d -prune -exec rm -rf {} +

help:  ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-6s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
