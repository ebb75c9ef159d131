# What there is to know: `make demo`, `make test`, `make lint`.
PYTHON ?= python3.11
VENV ?= .venv
WORKERS ?= 2
PIP_FLAGS ?= --quiet --disable-pip-version-check

BEAM = $(VENV)/beam

.PHONY: demo test test-beam lint clean

demo: $(VENV)/installed
	$(VENV)/bin/python tools/demo.py

test: $(VENV)/installed
	$(VENV)/bin/python -m pytest -n $(WORKERS) \
		--dist loadfile --no-loadscope-reorder
	$(MAKE) test-beam

# The pipelines of Apache Beam, which asks for other versions of two packages.
test-beam: $(BEAM)/installed
	$(BEAM)/bin/python -m pytest -k beam tests/users tests/prepare

lint: $(VENV)/installed
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/pyrefly check --python-interpreter-path $(VENV)/bin/python

$(VENV)/installed: requirements.txt requirements-tf-serving.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install $(PIP_FLAGS) -r requirements.txt
	$(VENV)/bin/python -m pip install $(PIP_FLAGS) --no-deps -r requirements-tf-serving.txt
	$(VENV)/bin/python -m pip install $(PIP_FLAGS) --no-deps --no-build-isolation --editable .
	touch $@

$(BEAM)/installed: $(VENV)/installed requirements-beam.txt
	$(PYTHON) -m venv $(BEAM)
	$(BEAM)/bin/python -m pip install $(PIP_FLAGS) -r requirements-beam.txt
	ls -d $(CURDIR)/$(VENV)/lib/python*/site-packages \
		> $$(ls -d $(BEAM)/lib/python*/site-packages)/others.pth
	touch $@

clean:
	rm -rf $(VENV) runs bundles
