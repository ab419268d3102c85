# make table:  set everything up, measure what the config names, print results/table.md
# make report: the same, and results/report.html: one file with all pictures
# make again:  measure again what the last table cannot quote, and print the table anew
# make doctor: set everything up, say what make table will do here, what is missing and what to do about it
# make test:   set everything up, run the linters and the tests
# make test-gpu: some tests on an NVIDIA GPU, which end with a block to paste into an issue
# make test-slurm: make test on a SLURM of three nodes that it starts on this machine (apt install slurmctld slurmd munge);
#                  SLURM_TABLE=config.yaml makes the default table there, not a small one
# make runs/a100: a folder to run in for one kind of machine beside others, with one index of all that is published
# make help:   print these lines
#
# CONFIG=mine.yaml after any of the first four: a config of your own, or several, over config.yaml
# LOGGER=      show Snakemake's own lines, not one of progress
PYTHON ?= python3
export PYTHONUTF8 := 1
# Modules are compiled when they are first imported; where containers set this, each job would compile torch anew.
unexport PYTHONDONTWRITEBYTECODE
# Snakemake starts Python by its path without quotes, so that only these characters work.
ifneq ($(shell pwd | LC_ALL=C tr -d 'A-Za-z0-9@%+=:,./_\200-\377\n-' | LC_ALL=C tr -c '\n' x),)
$(error $(CURDIR): has a space or another special character in its path; move the clone to one of letters, digits and . _ -)
endif
# The list of envs/ to install, such as gpu-cuda12; left out, it is chosen by GPU and driver (see workflow/scripts/choose_environment.py).
ifeq ($(origin SPEEDMAP_ENV),undefined)
SPEEDMAP_ENV := $(or $(shell $(PYTHON) workflow/scripts/choose_environment.py),cpu)
endif
CORES ?= all
LOGGER ?= --logger speedmap
VENV := .venv
RUN := $(VENV)/$(SPEEDMAP_ENV).ready
DEV := $(VENV)/dev.ready
# Python parts of TensorRT 11, 10 and 8.6 and of CUDA 13 and 12, for tests alone: not where others import them.
OLDEST := tensorrt-bindings==8.6.1
SURFACES := $(addprefix $(VENV)/surface/,tensorrt-cu13-bindings==11.4.0.106 tensorrt-cu12-bindings==10.16.1.11 \
	$(OLDEST) cuda-bindings==13.5.0 cuda-bindings==12.9.4)

# Snakemake finds the logger by its package's name on Python's path. -- ends the list of config files.
SNAKEMAKE = PYTHONPATH=workflow/scripts $(VENV)/bin/snakemake --cores $(CORES) $(LOGGER) $(if $(CONFIG),--configfile $(CONFIG))

.PHONY: table report again test test-gpu test-slurm lint doctor help
.DELETE_ON_ERROR:

# Snakemake plans anew all that follows from a step that runs, before it knows what that step gives. So the data set is
# checked first where there are results: after a mistake in it was mended, they stay as they are.
CHECK = $(if $(wildcard results/onnx),$(SNAKEMAKE) -- results/dataset.json)

table: $(RUN)
	@$(CHECK)
	@$(FIND) $(SNAKEMAKE) $(if $(FORCE),$(FORCE) )-- results/table.md
	@$(VENV)/bin/python workflow/scripts/show_table.py results/table.md "make report$(if $(CONFIG), CONFIG='$(CONFIG)')"

again: FIND = records=$$($(VENV)/bin/python workflow/scripts/list_spoilt.py) &&
again: FORCE = -R $$records
again: table

report: $(RUN)
	@$(CHECK)
	@$(SNAKEMAKE) -- results/table.md results/report.html
	@echo "$(CURDIR)/results/report.html"

help:
	@sed '/^PYTHON/,$$d; s/^# \{0,1\}//' Makefile

test: lint $(SURFACES)
	# Two workers, a file's tests in one of them, since they share what is slow to make; the slowest folders first.
	$(VENV)/bin/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --durations 15

test-gpu: $(RUN) $(DEV)
	$(VENV)/bin/python -m pytest -m gpu tests/gpu

test-slurm: $(RUN) $(DEV) $(VENV)/slurm.ready
	$(VENV)/bin/python -m pytest -m slurm tests/slurm

runs/%:
	mkdir -p $@/results results/published resources
	ln -sfn $(addprefix $(CURDIR)/,config.yaml config sample resources) $@
	ln -sfn $(CURDIR)/results/published $@/results/published

doctor: $(RUN)
	@$(VENV)/bin/python workflow/scripts/doctor.py $(CONFIG)

lint: $(RUN) $(DEV)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/snakefmt --check Snakefile workflow
	PYTHONPATH=workflow/scripts $(VENV)/bin/lint-imports
	$(VENV)/bin/snakemake --lint

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "speedmap needs Python 3.11 or newer: make PYTHON=...")'
	$(PYTHON) -m venv $(VENV)

$(RUN): envs/$(SPEEDMAP_ENV).txt envs/common.txt | $(VENV)/bin/python
	$(PYTHON) workflow/scripts/install.py $(VENV) $<
	@touch $@

$(DEV) $(VENV)/slurm.ready: $(VENV)/%.ready: envs/%.txt | $(VENV)/bin/python
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-compile -r $<
	@touch $@

$(SURFACES): | $(VENV)/bin/python
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --target $@ '$(@F)$(MARKER)'

$(VENV)/surface/$(OLDEST): MARKER := ; python_version < "3.12"
