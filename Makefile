# Each target does everything from a bare machine with Python 3.10-3.13 and make.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready

# Many tests start processes: each imports what was compiled once, as an installed package does.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help install demo browser test swift-test full-size check docs conformance conformance-backward conformance-torch conformance-stack bench mutants breadth matrix fuzz scanners architecture phantoms layout-model diffusion-model clean

help:            ## what there is
	@grep -hE '^[a-z-]+: .*##|^[a-z-]+:  *##' $(MAKEFILE_LIST) | sed 's/:[^#]*##/\t/' | expand -t 16

install: $(READY) ## .venv with everything, at the versions in constraints.txt

# dynamic-network-architectures is the tests' outside oracle. It asks for timm, which would pull
# another build of torch and is not needed by the part that is used: hence --no-deps.
$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c "import sys; sys.exit(not (3, 10) <= sys.version_info[:2] < (3, 14) and 'lading needs Python 3.10 to 3.13, this is ' + sys.version.split()[0])"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt torch
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --no-deps dynamic-network-architectures
	touch $(READY)

demo: $(READY)   ## convert the demonstration's checkpoint to Core ML and ONNX, and draw the page
	$(BIN)/lading demo $(if $(OPEN),--open)

# The pages are tested in a real Chromium. Where there is none and apt-get may not install it (not
# root, not Debian), those tests are skipped and say so.
browser:         ## Chromium for the tests of the pages, where there is none and apt-get may install it
	@for name in chromium chromium-browser google-chrome google-chrome-stable; do \
		command -v $$name >/dev/null && exit 0; done; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		(apt-get update -qq && apt-get install -qq -y --no-install-recommends chromium) >/dev/null 2>&1; fi; \
	command -v chromium >/dev/null || echo "no Chromium: the tests of the pages will be skipped"

test: $(READY) browser ## all tests, the full-size network's included
	@command -v swift >/dev/null || echo "not run: no Swift"
	$(BIN)/python -m pytest -n 2 --dist worksteal

swift-test: $(READY) ## the Swift packages of the demonstrations: lint, build, their tests; part of `test` too
	@command -v swift >/dev/null || echo "not run: no Swift"
	$(BIN)/python -m pytest -n 2 -rs tests/app tests/job/test_swift.py

full-size: $(READY) ## the diffusion UNet of 41 million parameters at 256x256, both formats: minutes
	$(BIN)/python -m pytest -m large tests/test_full_size_diffusion.py

check: $(READY)  ## lint, format, types, the way of the imports, and the site
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(MAKE) --no-print-directory docs

docs: $(READY)   ## the documentation as a site, build/site; a dead link fails
	COLUMNS=80 NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

conformance: $(READY) ## coremltools' own operation suite, answered by lading.coreml: docs/conformance.md
	$(BIN)/python -m tests.conformance --document docs/conformance.md

conformance-backward: $(READY) ## the same at every opset: twice as many cases
	$(BIN)/python -m tests.conformance --backward --document docs/conformance.md

conformance-torch: $(READY) ## a sample of coremltools' torch suite, the same way
	$(BIN)/python -m tests.conformance --suite torch --sample 600 --document docs/conformance.md

conformance-stack: $(READY) ## the same suite carried as lading does, beside plain ct.convert
	$(BIN)/python -m tests.conformance --suite torch --stack --sample 300 --document docs/conformance.md

bench: $(READY)  ## runtimes against PyTorch eager, conversion and proof against plain converters: docs/benchmarks.md
	$(BIN)/python -m tests.bench --document docs/benchmarks.md

mutants: $(READY) ## wrong artifacts before the verifier, and right ones: docs/mutants.md
	$(BIN)/python -m tests.mutants --document docs/mutants.md

# The libraries are none of lading's: they lie in a folder of their own, without what they ask for.
build/breadth-libraries: tests/breadth/requirements.txt $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --upgrade --target $@ -r tests/breadth/requirements.txt
	touch $@

breadth: build/breadth-libraries ## networks of other people's libraries, as they are saved: docs/breadth.md
	OMP_NUM_THREADS=1 PYTHONPATH=.:build/breadth-libraries $(BIN)/python -m pytest -q tests/breadth/test_guide.py
	OMP_NUM_THREADS=1 PYTHONPATH=.:build/breadth-libraries $(BIN)/python -m tests.breadth --document docs/breadth.md

# An environment a corner, 5 GB and some minutes each; it goes on where it stopped.
matrix: $(READY) ## each Python with each torch: demo, ten networks, capture: docs/versions.md, `doctor`
	$(BIN)/python -m tests.matrix $(if $(TORCH),--torch $(TORCH)) --document docs/versions.md

fuzz: $(READY)   ## every reader against files that are almost right: minutes, goes on where it stopped
	$(BIN)/python -m tests.fuzz --minutes 2 --count $(or $(COUNT),3000) --seed $(or $(SEED),1)

# The other scanners have a Python of their own: they are no part of what lading needs.
scanners: $(READY) ## what picklescan, modelscan and fickling name, lading names: docs/security.md
	$(PYTHON) -m venv build/scanners
	build/scanners/bin/python -m pip install --quiet --disable-pip-version-check picklescan modelscan fickling typing_extensions
	$(BIN)/python -m tests.scanners --python build/scanners/bin/python --document docs/security.md

architecture: $(READY) ## the rooms and who imports whom: docs/architecture.md
	$(BIN)/python -m tests.architecture --document docs/architecture.md

phantoms: $(READY) ## train the demo's checkpoint again (minutes)
	$(BIN)/python -m recipes.camus_segmentation.train --out build/camus_segmentation.pth

# The recipe alone needs wordfreq, where the tests are not installed.
layout-model: $(READY) ## train the keyboard-layout ensemble again (an hour)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[recipes]'
	$(BIN)/python -m recipes.keyboard_layout.train --work build/layout
	$(BIN)/python -m recipes.keyboard_layout.evaluate build/layout/keyboard_layout.pth

diffusion-model: $(READY) ## train the diffusion demo's checkpoint again (half an hour)
	$(BIN)/python -m recipes.camus_diffusion.train --work build/camus_diffusion
	$(BIN)/python -m recipes.camus_diffusion.evaluate build/camus_diffusion/camus_diffusion.pth

clean:           ## everything that was made here
	rm -rf $(VENV) build dist src/*.egg-info lading-demo .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
