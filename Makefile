# Everything a developer or CI runs. Needs Python 3.11 or newer and make, nothing else.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: help venv demo test check prove bench lock openapi coverage clean
help:            ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1	\2/p' Makefile
venv: .venv/ready ## .venv with the locked dependencies and the checkstand command
demo: venv       ## a demo shop on http://127.0.0.1:8000
	$(BIN)/checkstand demo --data-dir .demo
test: venv       ## all tests, with a real PostgreSQL
	$(BIN)/python -m pytest -m "not prove" -n auto --dist loadfile
check: venv      ## formatting, lint, types, imports, the kept openapi.json
	$(BIN)/ruff format --check . && $(BIN)/ruff check . && $(BIN)/mypy && $(BIN)/lint-imports
	$(BIN)/checkstand openapi | cmp - openapi.json || (echo "run: make openapi" && false)
prove: venv      ## the long proofs: races, crashes, laws with many examples
	$(BIN)/python -m pytest --hypothesis-profile=prove tests/laws tests/unit tests/contract tests/process tests/gateways
bench: venv      ## throughput against a floor, statement counts, memory
	$(BIN)/python -m bench
openapi: venv    ## renews openapi.json
	$(BIN)/checkstand openapi --output openapi.json
coverage: venv   ## renews the table of routes in docs/reference/compatibility.md
	$(BIN)/python docs/compatibility.py
lock:            ## renews the lock files (needs uv)
	for group in "" "--group dev"; do uv pip compile -q --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate \
	  --custom-compile-command 'make lock' --group build $$group pyproject.toml \
	  -o requirements$${group:+-dev}.lock; done
clean:           ## removes what make made, the demo's data included
	rm -rf .venv .demo dist .pytest_cache .mypy_cache .ruff_cache

.venv/ready: requirements-dev.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q --require-hashes -r requirements-dev.lock
	$(BIN)/python -m pip install -q --no-deps --no-build-isolation -e .
	touch $@
