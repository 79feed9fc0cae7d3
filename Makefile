.PHONY: demo test lint bench

demo:
	python3 -m venv .venv && .venv/bin/pip install . && .venv/bin/tfwavesep separate examples/demo_song/mixture.flac -o demo --references examples/demo_song --overwrite

test:
	python3 -m venv .venv && .venv/bin/pip install -e '.[test]' && .venv/bin/python -m pytest

lint:
	.venv/bin/ruff check . && .venv/bin/ruff format --check . && .venv/bin/mypy

bench:
	.venv/bin/python benchmarks/pipeline.py
