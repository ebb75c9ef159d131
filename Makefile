# What there is to know: `make demo`, `make test`, `make lint`, `make docs`.
PYTHON ?= python3.11
VENV ?= .venv
WORKERS ?= 2
PIP_FLAGS ?= --quiet --disable-pip-version-check

BEAM = $(VENV)/beam
DOCS = $(VENV)/docs

.PHONY: demo test test-beam lint docs notebooks clean

demo: $(VENV)/installed
	$(VENV)/bin/python tools/demo.py

test: $(VENV)/installed $(VENV)/tests
	$(VENV)/bin/python -m pytest -n $(WORKERS) \
		--dist loadfile --no-loadscope-reorder
	$(MAKE) test-beam

# The pipelines of Apache Beam, which asks for other versions of two packages.
test-beam: $(BEAM)/installed
	$(BEAM)/bin/python -m pytest -k beam tests/users tests/prepare

# The site, in docs/_build/html; it runs the notebooks. Warnings are errors, and so are
# links inside the site to what is not there.
docs: $(DOCS)/installed
	PYTHONPATH=$(CURDIR) $(DOCS)/bin/python -m sphinx -W --keep-going --quiet docs docs/_build/html
	$(DOCS)/bin/python tools/check_site.py docs/_build/html

# The notebooks alone: each on a kernel of its own, in an empty folder.
notebooks: $(DOCS)/installed
	PYTHONPATH=$(CURDIR) $(DOCS)/bin/python tools/run_notebooks.py notebooks/*.py

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

# What tests alone need, such as Milvus and LanceDB.
$(VENV)/tests: $(VENV)/installed requirements-tests.txt
	$(VENV)/bin/python -m pip install $(PIP_FLAGS) -r requirements-tests.txt
	touch $@

$(BEAM)/installed: $(VENV)/installed requirements-beam.txt
	$(PYTHON) -m venv $(BEAM)
	$(BEAM)/bin/python -m pip install $(PIP_FLAGS) -r requirements-beam.txt
	ls -d $(CURDIR)/$(VENV)/lib/python*/site-packages \
		> $$(ls -d $(BEAM)/lib/python*/site-packages)/others.pth
	touch $@

# What writes the site, beside the packages of the others, which work without it.
$(DOCS)/installed: $(VENV)/installed requirements-docs.txt
	$(PYTHON) -m venv $(DOCS)
	$(DOCS)/bin/python -m pip install $(PIP_FLAGS) -r requirements-docs.txt
	ls -d $(CURDIR)/$(VENV)/lib/python*/site-packages \
		> $$(ls -d $(DOCS)/lib/python*/site-packages)/others.pth
	touch $@

clean:
	rm -rf $(VENV) runs bundles docs/_build
