# Two commands are all there is to know: `make demo` and `make test`.
PYTHON ?= python3.11
VENV ?= .venv
PIP_FLAGS ?= --quiet --disable-pip-version-check

.PHONY: demo test lint clean

demo: $(VENV)/installed
	$(VENV)/bin/python tools/demo.py

test: $(VENV)/installed
	$(VENV)/bin/python -m pytest

lint: $(VENV)/installed
	$(VENV)/bin/ruff check . && $(VENV)/bin/ruff format --check .

$(VENV)/installed: requirements.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install $(PIP_FLAGS) -r requirements.txt
	$(VENV)/bin/python -m pip install $(PIP_FLAGS) --no-deps --no-build-isolation --editable .
	touch $@

clean:
	rm -rf $(VENV) runs bundles
