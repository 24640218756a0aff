# Every target installs what it needs into .venv first, if .venv is missing or out of date.
PYTHON ?= python3
DATASET ?= synthetic
SWEEP ?= pose_k
TABLE ?= components
PORT ?= 5000
RUNS ?= runs
BENCH ?=
SEEDS ?= 1,2,3
BIN := .venv/bin
STAMP := .venv/.installed

export MLFLOW_DISABLE_TELEMETRY ?= true
export NO_ALBUMENTATIONS_UPDATE ?= 1

.PHONY: help install train sweep ablate ui bench chaos fuzz test test-slow coverage lint audit docs clean

help:
	@echo "make train [DATASET=prcc]    train the whole method; by default on built-in pedestrians"
	@echo "make sweep [SWEEP=split]     search for settings, on the built-in data; by default pose_k"
	@echo "make ablate [TABLE=main]     run a table of the paper, on the built-in data"
	@echo "make ui [PORT=5000]          show all runs in the browser, on this machine only"
	@echo "make test                    run the everyday tests; make test-slow runs the long ones"
	@echo "make lint                    check style and types"
	@echo "make docs                    build the manual in build/site"
	@echo "make bench [BENCH=data]      measure how fast the parts are here, beside plain forms of them"
	@echo "make chaos [SEEDS=1,2,3]     kill, starve and corrupt runs, and check that nothing is lost"
	@echo "make fuzz                    give 20,000 malformed files to everything that reads files"
	@echo "make audit                   look up known vulnerabilities of the libraries"
	@echo "make clean                   remove build files and caches"

install: $(STAMP)

$(STAMP): setup.cfg setup.py
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "rlq needs Python 3.11 or later, $(PYTHON) is $$($(PYTHON) --version 2>&1); use another one: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@echo "installing into .venv (once; about 6 GB with PyTorch)"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install -qq --upgrade pip
	@$(BIN)/python -m pip install -qq --editable '.[test,lint,docs]'
	@touch $@

train: $(STAMP)
	@test -f experiments/$(DATASET).yaml || { echo "there is no experiments/$(DATASET).yaml; there are: $$(cd experiments && ls *.yaml | grep -v -e teacher -e '^rlq' | sed 's/.yaml//' | tr '\n' ' ')"; exit 1; }
	@$(BIN)/rlq train experiments/$(DATASET).yaml

sweep: $(STAMP)
	@test -f sweeps/$(SWEEP).yaml || { echo "there is no sweeps/$(SWEEP).yaml; there are: $$(cd sweeps && ls *.yaml | sed 's/.yaml//' | tr '\n' ' ')"; exit 1; }
	@$(BIN)/rlq sweep sweeps/$(SWEEP).yaml

ablate: $(STAMP)
	@test -f experiments/tables/$(TABLE).yaml || { echo "there is no experiments/tables/$(TABLE).yaml; there are: $$(cd experiments/tables && ls *.yaml | sed 's/.yaml//' | tr '\n' ' ')"; exit 1; }
	@$(BIN)/rlq ablate experiments/tables/$(TABLE).yaml --base experiments/synthetic_short.yaml

ui: $(STAMP)
	@test -f $(RUNS)/mlflow.db || { echo "there are no runs in $(RUNS) yet; make train creates the first one"; exit 1; }
	@echo "http://127.0.0.1:$(PORT)/#/experiments?workflowType=machine_learning   (Ctrl-C ends it)"
	@MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false $(BIN)/mlflow server --workers 1 --host 127.0.0.1 --port $(PORT) --backend-store-uri sqlite:///$(abspath $(RUNS))/mlflow.db

bench: $(STAMP)
	@mkdir -p build
	@$(BIN)/rlq bench $(BENCH) --output build/bench.json

chaos: $(STAMP)
	@mkdir -p build
	@$(BIN)/python tests/chaos/run.py --seeds $(SEEDS) --report build/chaos.json

fuzz: $(STAMP)
	@mkdir -p build
	@$(BIN)/python tests/fuzz/run.py --inputs 20000 --report build/fuzz.json

# One thread is fastest on pictures this small. Compiled modules are kept, because tests start many processes.
test test-slow coverage: export OMP_NUM_THREADS ?= 1
test test-slow coverage: export PYTHONDONTWRITEBYTECODE =
PYTEST := -m pytest -n 2 --dist loadfile

test: $(STAMP)
	@$(BIN)/python $(PYTEST)

test-slow: $(STAMP)
	@$(BIN)/python $(PYTEST) -m slow

coverage: $(STAMP)
	@$(BIN)/coverage erase
	@$(BIN)/coverage run $(PYTEST)
	@$(BIN)/coverage run $(PYTEST) -m slow
	@$(BIN)/coverage combine --quiet
	@$(BIN)/coverage report --skip-covered --sort=miss

lint: $(STAMP)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy rlq

audit: $(STAMP)
	@$(BIN)/python tests/audit.py

docs: $(STAMP)
	@$(BIN)/mkdocs build --quiet --strict --config-file .mkdocs.yml
	@echo "the manual is in build/site/index.html"

clean:
	rm -rf build .pytest_cache .ruff_cache .mypy_cache .hypothesis
