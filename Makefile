.PHONY: demo docs lint package page speed test test-newest

NEWEST := $(firstword $(foreach python,python3.14 python3.13 python3,$(if $(shell $(python) -c "print(1)" 2>/dev/null),$(python))))
TENSORFLOW_TESTS := $(addprefix tests/,backends models/test_conformance.py data/test_examples.py release/test_export.py release/test_quantization.py training/test_losses.py)

demo:
	python3 -m venv .venv && .venv/bin/pip install . && .venv/bin/tfwavesep separate examples/demo_song/mixture.flac -o demo --references examples/demo_song --overwrite

test:
	python3 -m venv .venv && .venv/bin/pip install -e '.[test]' && .venv/bin/python -m pytest -n auto --dist loadfile

test-newest:
	$(NEWEST) -m venv .venv-newest && .venv-newest/bin/pip install -r requirements-newest.txt -e . && .venv-newest/bin/python -m pytest -n auto --dist loadfile $(TENSORFLOW_TESTS)

package:
	.ci/package

docs:
	python3 -m venv .venv-docs && .venv-docs/bin/pip install -r docs/requirements.txt && .venv-docs/bin/mkdocs build --strict

page:
	cd web && npm ci && npm run build

lint:
	.venv/bin/ruff check . && .venv/bin/ruff format --check . && .venv/bin/mypy

speed:
	for topic in inference training pipeline streaming command scaling; do .venv/bin/python -m benchmarks.speed.$$topic || exit 1; done
