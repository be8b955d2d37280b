# The only commands a contributor must know. `make` alone prints this list.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
CDR    ?=
PORT   ?=

.DEFAULT_GOAL := help

help: ## print what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

$(VENV)/.run: requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.run
	$(BIN)/python -m pip install --quiet --require-hashes --requirement requirements-dev.lock
	@touch $@

run: $(VENV)/.run ## start cdrd with an embedded database and a demo PBX, or with your file: make run CDR=/path/to/Master.csv
	@exec $(BIN)/cdrd demo $(if $(CDR),--cdr "$(CDR)") $(if $(PORT),--port "$(PORT)")

test: $(VENV)/.dev ## run every test (under 10 minutes)
	$(BIN)/python -m pytest -q -m "not bench and not soak"

lint: $(VENV)/.dev ## format, lint, types and import contracts, without the tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check: lint test ## everything that must be green before a change lands

format: $(VENV)/.dev ## put the code into the project's form
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/.dev ## print the speed ratios the README quotes
	$(BIN)/python -m pytest -q -s -m bench tests/bench

soak: $(VENV)/.dev ## run the long fault tests
	$(BIN)/python -m pytest -q -m soak

lock: $(VENV)/.dev ## resolve the dependencies anew and write both lock files
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --upgrade pyproject.toml --extra build -o requirements.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --upgrade pyproject.toml --extra build --extra dev -c requirements.lock -o requirements-dev.lock

clean: ## remove the environment and the demo's data
	rm -rf $(VENV) var

.PHONY: help run test lint check format bench soak lock clean
