# The only commands a contributor must know. `make` alone prints this list.
PYTHON ?= python3
COMPILED ?=
VENV   := .venv$(if $(COMPILED),-compiled)
BIN    := $(VENV)/bin
# with COMPILED=1 the installed wheel is what is tested, not the checkout
PYTEST := $(if $(COMPILED),PYTHONSAFEPATH=1 )$(BIN)/python -m pytest -q
SOURCES := $(shell find cdrd sql config -name '[!.]*' -type f -not -name '*.pyc')
CDR    ?=
DATA   ?=
PORT   ?=
TARGETS ?=
TESTS  ?=
AT_ONCE ?= 4
LOCK    := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --upgrade pyproject.toml

.DEFAULT_GOAL := help

help: ## print what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

$(VENV)/.run: requirements-run.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes --requirement requirements-run.lock
ifeq ($(COMPILED),)
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
endif
	@touch $@

$(VENV)/.tools: requirements-dev.lock $(VENV)/.run
	$(BIN)/python -m pip install --quiet --require-hashes --requirement requirements-dev.lock
	@touch $@

$(VENV)/.dev: $(VENV)/.tools $(if $(COMPILED),$(SOURCES) pyproject.toml)
ifneq ($(COMPILED),)
	$(MAKE) --no-print-directory wheel
	$(BIN)/python -m pip install --quiet --no-deps --force-reinstall dist/cdrd-*-cp*.whl
endif
	@touch $@

run: $(VENV)/.run ## start cdrd with an embedded database and a demo PBX, or with your file: make run CDR=/path/to/Master.csv
	@exec $(BIN)/cdrd demo $(if $(CDR),--cdr "$(CDR)") $(if $(DATA),--data "$(DATA)") $(if $(PORT),--port "$(PORT)")

test: $(VENV)/.dev ## run every test (under 10 minutes), or some: make test TESTS=tests/unit
	$(PYTEST) -n $(AT_ONCE) --dist worksteal -m "not bench and not soak" $(TESTS)

wheel: $(VENV)/$(if $(COMPILED),.tools,.run) ## build the package into dist/; COMPILED=1: for this Python and machine, and faster (needs a C compiler)
	rm -rf build dist/cdrd-*-$(if $(COMPILED),cp,py)*.whl
	mkdir -p build
	tar c --exclude=__pycache__ cdrd config sql pyproject.toml README.md | tar x -C build
	cd build && HATCH_BUILD_HOOK_ENABLE_MYPYC=$(if $(COMPILED),true,false) ../$(BIN)/python -m hatchling build -t wheel -d ../dist
	rm -rf build

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
	$(PYTEST) -s -m bench tests/bench

soak: $(VENV)/.dev ## run the long fault tests
	$(PYTEST) -s -m soak

fuzz: $(VENV)/.dev ## every decoder under a coverage-guided fuzzer, FUZZ_SECONDS=60 each
	PYTHONPATH=tests $(BIN)/python -m fuzz.run $(TARGETS)

lock: $(VENV)/.dev ## resolve the dependencies anew and write the three lock files: of a server, of `make run`, of a contributor
	$(LOCK) -o requirements.lock
	$(LOCK) --extra embedded --extra build -c requirements.lock -o requirements-run.lock
	$(LOCK) --extra embedded --extra build --extra dev -c requirements-run.lock -o requirements-dev.lock

clean: ## remove the environment and the demo's data
	rm -rf .venv .venv-compiled build dist var

.PHONY: help run test wheel lint check format bench soak fuzz lock clean
