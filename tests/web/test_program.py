"""The page's program where it does what Python does: the grid, and whole steps."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tfwavesep.separation import Grid, Piece, Segmenter
from tfwavesep.stemfiles import levels

SOURCE = Path(__file__).parents[2] / "web" / "src"


def node(module: str, expression: str, *arguments: Any) -> Any:
    """What an expression of `it`, a module of the page, and `given`, a list, is in JavaScript."""
    if not shutil.which("node"):
        pytest.skip("the page's program: needs Node.js")
    code = (
        f"import * as it from {json.dumps((SOURCE / module).as_uri())};"
        "import { readFileSync } from 'node:fs';"
        f"const given = JSON.parse(readFileSync(0)); process.stdout.write(JSON.stringify({expression}));"
    )
    command = ["node", "--input-type=module", "-e", code]
    result = subprocess.run(command, input=json.dumps(arguments), capture_output=True, text=True, check=True)
    return json.loads(result.stdout)


@pytest.mark.parametrize("length", [1, 99, 100, 101, 250, 1000])
@pytest.mark.parametrize(("context", "lookahead"), [(0, 0), (30, 30), (250, 0), (30, 250)])
def test_segments_are_those_of_the_grid(length: int, context: int, lookahead: int) -> None:
    grid = Grid(target_length=100, context=context, lookahead=lookahead)
    song = np.random.default_rng(0).integers(1, 30000, (length, 1))
    segmenter = Segmenter(grid)
    expected = [each.ravel().tolist() for each in (*segmenter.feed(song), *segmenter.flush())]
    cut = """
        Array.from({ length: it.count(given[0].length, given[1]) }, (_, k) => {
          const { from, to } = it.segment(k, given[0].length, given[1]);
          return [...it.cut(Int16Array.from(given[0]), from, to)];
        })"""
    model = {"targetLength": 100, "context": context, "lookahead": lookahead}
    assert node("grid.js", cut, song.ravel().tolist(), model) == expected


@pytest.mark.parametrize(
    ("channels", "together", "groups"),
    [
        (1, 1, [[0]]),
        (2, 1, [[0], [1]]),
        (1, 2, [[0, 0]]),
        (2, 2, [[0, 1]]),
        (3, 2, [[0, 1], [2, 2]]),
        (6, 2, [[0, 1], [2, 3], [4, 5]]),
    ],
)
def test_channels_are_grouped_as_in_a_stream(channels: int, together: int, groups: list[list[int]]) -> None:
    assert node("grid.js", "it.groups(...given)", channels, together) == groups


def test_estimates_become_the_steps_that_python_makes_of_them() -> None:
    """Beyond full scale and halfway between steps, too."""
    noise = np.random.default_rng(0)
    mixture = (noise.integers(-32768, 32768, 5000) / 32768).astype(np.float32)
    estimates = noise.standard_normal((3, 5000)).astype(np.float32) / 2
    estimates[:, ::3] = noise.integers(-65536, 65536, estimates[:, ::3].shape) / 65536
    whole, stems = levels.split(Piece(mixture[:, np.newaxis], estimates[:, :, np.newaxis]), 16)
    expected = levels.clamp(whole, stems, 16)[:-1, :, 0]
    split = (
        "it.split(Int16Array.from(given[0]), given[1].map((each) => Float32Array.from(each))).map((each) => [...each])"
    )
    found = node("steps.js", split, whole.ravel().tolist(), estimates.tolist())
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("positive", [32767, 32768])
@pytest.mark.parametrize("peak", [20, 32767])
def test_a_files_own_steps_are_found_however_a_browser_decodes_them(positive: int, peak: int) -> None:
    steps = np.random.default_rng(0).integers(-peak - 1, peak + 1, 5000)
    decoded = np.where(steps > 0, steps / positive, steps / 32768).astype(np.float32)
    found = node("steps.js", "[...it.toSteps(Float32Array.from(given[0]))]", decoded.tolist())
    np.testing.assert_array_equal(found, steps)


def test_other_samples_are_rounded_and_cut_at_full_scale() -> None:
    found = node("steps.js", "[...it.toSteps(Float32Array.from(given[0]))]", [0.3, -0.3, 1.7, -1.7, 0.0])
    assert found == [9830, -9830, 32767, -32768, 0]


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (59.99, "0:59"), (60, "1:00"), (3725, "62:05")])
def test_clock(seconds: float, text: str) -> None:
    assert node("text.js", "it.clock(given[0])", seconds) == text
