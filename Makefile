# Everything a fresh machine needs is Python 3.11 and make.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin

.PHONY: score test test-evaluation test-rest lint clean

score: $(VENV)/installed
	$(BIN)/aixi score --suite quick

# Two halves at a time, each of which tells its own result.
test: $(VENV)/installed-dev
	$(MAKE) --jobs=2 --output-sync=target test-evaluation test-rest

test-evaluation: $(VENV)/installed-dev
	$(BIN)/python -m pytest --hypothesis-profile=ci tests/evaluation

test-rest: $(VENV)/installed-dev
	$(BIN)/python -m pytest --hypothesis-profile=ci src tests/agents tests/environments tests/predictors tests/test_packaging.py

lint: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy -p aixi

# The users' install comes first, so that a score waits for no test tool.
$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	touch $@

$(VENV)/installed-dev: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

clean:
	rm -rf $(VENV)
