# Everything runs in .venv, built from requirements*.txt when a target needs it.
#   PYTHON=/path/to/python   the interpreter for .venv (default: 3.13, else another of 3.11 to 3.14)
#   ARGS="-k login -x"       arguments for pytest (make test), uv (make requirements) or make bench*
#   SHORT=1                  the short form of make faults and make soak

VENV := .venv
PY := $(VENV)/bin/python
INTERPRETERS := $(or $(PYTHON),python3.13 python3.14 python3.12 python3.11 python3)

# The venv is rebuilt if its interpreter is missing, if an installation was interrupted, or if
# PYTHON names another interpreter.
STALE := $(shell test -e $(VENV)/.created || exit 0; \
	test ! -e $(VENV)/.installing \
	&& $(PY) -c '' 2>/dev/null \
	&& test -z "$(PYTHON)" -o "$(PYTHON)" = "$$(cat $(VENV)/.created)" \
	|| echo rebuild)

SERVING := $(VENV)/.installed/requirements.txt \
	$(if $(DATABASE_URL)$(DATABASE_URL_FILE),,$(VENV)/.installed/requirements-embedded.txt)
DEVELOPING := $(VENV)/.installed/requirements-dev.txt
BENCHMARKING := $(addprefix $(VENV)/.installed/,requirements.txt requirements-embedded.txt)

CONTRACT_TOOLS := tests/contract/tools
WEB_TOOLS := tests/web/tools
MIGRATIONS = $(filter-out %.rollback.sql,$(wildcard migrations/*.sql))

# Tests start hundreds of processes; without bytecode each of them would compile the application.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help run backup restore test image faults soak check check-web vendor screenshots contract specs mutants attacks trace fuzz format requirements
.PHONY: bench bench-growth bench-duties bench-layers clean rebuild

help: ## list the targets
	@echo "usage: make TARGET [PYTHON=...] [ARGS=...]"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | while IFS='|' read -r target text; do \
		printf '%-20s %s\n' "$$target" "$$text"; done

run: $(SERVING) ## serve on http://127.0.0.1:8000 with a PostgreSQL of its own, or on DATABASE_URL
	@$(PY) -m app.devdb.run

backup: $(SERVING) ## write the database of DATA_DIR to a file: FILE=... or one named by the time
	@$(PY) -m app.devdb.backup backup "$$FILE"

restore: $(SERVING) ## replace the database of DATA_DIR by a backup: FILE=...
	@$(PY) -m app.devdb.backup restore "$$FILE"

test: $(DEVELOPING) ## run all tests on a PostgreSQL of their own, or on TEST_DATABASE_URL
	@$(PY) -m compileall -q app  # a hundred processes import it
	$(PY) -m pytest --numprocesses=auto --maxprocesses=8 --dist=worksteal --cov $(if $(ARGS),--cov-fail-under=0) $(ARGS)

image: $(DEVELOPING) ## build the image's file system from the Dockerfile, without Docker, and serve from it
	IMAGE=1 $(PY) -m pytest tests/deploy/image $(ARGS)

faults: $(DEVELOPING) ## inject faults under load for 15 minutes; SHORT=1 for 4
	FAULTS=$(if $(SHORT),short,full) timeout --foreground --signal=INT 15m $(PY) -m pytest tests/faults $(ARGS)

soak: $(DEVELOPING) ## an hour of load: memory, descriptors and connections must not grow; SHORT=1 for 10 minutes
	FAULTS=full SOAK_SECONDS=$(if $(SHORT),600,3600) $(PY) -m pytest tests/faults/test_soak.py $(ARGS)

bench: $(BENCHMARKING) ## measure the service beside PostgreSQL alone with the same SQL; needs wrk
	@$(PY) -m benchmarks.bench $(ARGS)

bench-growth: $(BENCHMARKING) ## time calls with up to 1,000,000 tasks of one user and 10,000,000 of others
	@$(PY) -m benchmarks.growth $(if $(OTHERS),--others $(OTHERS)) $(ARGS)

bench-duties: $(BENCHMARKING) ## measure the cost of logs, limits, ledger and others; needs wrk, Redis
	@$(PY) -m benchmarks.duties $(ARGS)

bench-layers: $(BENCHMARKING) ## measure the gain of each optimisation over a stock Flask on gthread; needs wrk
	@$(PY) -m benchmarks.layers $(ARGS)

check: $(DEVELOPING) ## lint and type-check Python, SQL and the web client's modules
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	$(VENV)/bin/lint-imports --no-cache --no-logo
	$(PY) -m sqlfluff lint --disable-progress-bar sql migrations
	$(VENV)/bin/squawk $(MIGRATIONS)
	@$(MAKE) --no-print-directory check-web

check-web: $(WEB_TOOLS)/node_modules/.package-lock.json ## lint and type-check the web client's modules alone
	$(WEB_TOOLS)/node_modules/.bin/eslint --config $(WEB_TOOLS)/eslint.config.js app/web/static
	$(WEB_TOOLS)/node_modules/.bin/tsc --project $(WEB_TOOLS)
	$(WEB_TOOLS)/node_modules/.bin/tsc --project $(WEB_TOOLS)/tsconfig.worker.json

vendor: $(DEVELOPING) $(WEB_TOOLS)/node_modules/.package-lock.json ## copy the web client's libraries out of npm's packages
	$(PY) -m tests.web.tools.vendor

screenshots: $(DEVELOPING) ## take the README's pictures of the web client; needs Chromium
	$(PY) -m tests.web.tools.screenshots

contract: $(DEVELOPING) $(CONTRACT_TOOLS)/node_modules/.package-lock.json ## install npm's linters, then test specs/
	$(PY) -m pytest tests/contract $(ARGS)

specs: $(DEVELOPING) ## write the generated parts of specs/*.md and CONTRIBUTING.md
	WRITE_SPECS=1 $(PY) -m pytest --quiet tests/test_generated.py tests/test_architecture.py

mutants: $(DEVELOPING) ## remove each ownership predicate from sql/, and require that a test fails
	$(PY) -m pytest tests/audit/test_id_collisions.py tests/audit/test_row_security.py $(ARGS)

attacks: $(DEVELOPING) ## run 20,000 random statements, or STATEMENTS=..., that the ownership proof accepts
	OWNERSHIP_STATEMENTS=$(or $(STATEMENTS),20000) $(PY) -m pytest tests/audit/test_generated.py --capture=no $(ARGS)

trace: $(DEVELOPING) ## print the tests of each requirement in specs/
	$(PY) -m tests.support.trace

fuzz: $(DEVELOPING) ## search 10 minutes, or SECONDS=..., for responses that specs/openapi.yaml lacks; SEED=... repeats
	FUZZ_SECONDS=$(or $(SECONDS),600) FUZZ_SEED=$(SEED) $(PY) -m pytest tests/contract/fuzz $(ARGS)

format: $(DEVELOPING) ## format Python and SQL
	$(PY) -m ruff check --fix-only --quiet .
	$(PY) -m ruff format .
	$(PY) -m sqlfluff format --disable-progress-bar sql migrations

requirements: $(DEVELOPING) ## pin requirements*.in with hashes; ARGS=--upgrade for the newest versions
	$(call pin,requirements)
	$(call pin,requirements-embedded)
	$(call pin,requirements-dev)

clean: ## remove .venv and caches; .data, the database, stays
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis .schemathesis htmlcov .coverage .coverage.*
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

define pin
$(PY) -m uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --custom-compile-command "make requirements" \
	$(ARGS) $(1).in --output-file $(1).txt
endef

tests/%/tools/node_modules/.package-lock.json: tests/%/tools/package-lock.json
	@command -v npm >/dev/null || { echo "npm is missing. On Debian and Ubuntu: apt-get install nodejs npm" >&2; exit 1; }
	npm ci --prefix $(<D) --ignore-scripts --no-audit --no-fund
	@touch $@

$(VENV)/.created: $(STALE)
	@rm -rf $(VENV)
	@missing=; \
	for python in $(INTERPRETERS); do \
		"$$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' 2>/dev/null || continue; \
		if "$$python" -c 'import ensurepip, venv' 2>/dev/null; then \
			echo "Creating $(VENV) with $$("$$python" -V) ($$python)"; \
			"$$python" -m venv $(VENV) && echo "$$python" >$@ && exit 0; \
			exit 1; \
		fi; \
		missing="$$missing $$python"; \
	done; \
	if test -n "$$missing"; then \
		echo "No venv module in:$$missing. On Debian and Ubuntu: apt-get install python3-venv" >&2; \
	else \
		echo "No Python 3.11, 3.12, 3.13 or 3.14 among: $(INTERPRETERS)." >&2; \
		echo "On Debian and Ubuntu: apt-get install python3 python3-venv;" >&2; \
		echo "or name one: make PYTHON=/path/to/python3.13 $(MAKECMDGOALS)" >&2; \
	fi; \
	exit 1

# Shortens pip's output to one line per package; warnings and errors are shown unchanged.
$(VENV)/.installed/%: % $(VENV)/.created
	@echo "Installing $<"
	@mkdir -p $(@D) && touch $(VENV)/.installing
	@{ $(PY) -m pip install --disable-pip-version-check --no-input --progress-bar off \
		--only-binary :all: --require-hashes -r $< 2>&1; echo "status $$?"; } \
	| { while read -r word rest; do case "$$word $$rest" in \
		"Collecting "* | "Processing "*) name="$${rest%% *}"; echo "  $${name##*/}";; \
		"Downloading "*.metadata* | "Using cached "*.metadata* | "Downloading "*" kB)" | "Using "* | "Ignoring "* \
			| "Looking "* | "Requirement "* | "WARNING: Location "* | "Successfully "* \
			| "Attempting "* | "Found "* | "Uninstalling "*) ;; \
		"Installing collected"*) echo "  unpacking";; \
		"status "*) exit "$$rest";; \
		*) echo "  $$word $$rest";; \
	esac; done; exit 1; }
	@rm $(VENV)/.installing
	@touch $@
