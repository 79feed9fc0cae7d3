"""What a released model owes to any recording: the demo song, and real songs where they are, as they are and as they
might reach a user, measured on the shipped file. Nothing is trained here."""

from collections.abc import Callable
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tfwavesep import store
from tfwavesep.data import find_tracks
from tfwavesep.evaluation import sdr
from tfwavesep.separation import Separator
from tfwavesep.stems import STEMS

DEMO_SONG = Path(__file__).parent.parent / "examples" / "demo_song"
EXCERPT_SECONDS = 6


@pytest.fixture(scope="module", params=["default", "live"])
def released(request: pytest.FixtureRequest) -> Separator:
    return Separator.load(request.param)


@pytest.fixture(scope="module")
def excerpts() -> tuple[list[np.ndarray], int]:
    """Mixes of the demo song's stems, `(stems, time, channels)` each, and their rate."""
    read = [soundfile.read(DEMO_SONG / f"{stem}.flac", dtype="float32", always_2d=True) for stem in STEMS]
    song, sample_rate = np.stack([samples for samples, _ in read]), read[0][1]
    length = EXCERPT_SECONDS * sample_rate
    return [song[:, at : at + length] for at in range(0, song.shape[1] - length + 1, length)], sample_rate


def scores(separator: Separator, excerpts: list[np.ndarray], sample_rate: int) -> np.ndarray:
    """SDR in dB, `(excerpts, stems)`."""
    estimates = [separator.separate(stems.sum(axis=0), sample_rate) for stems in excerpts]
    return np.array(
        [
            [sdr(true, found[stem], sample_rate) for stem, true in zip(STEMS, stems, strict=True)]
            for stems, found in zip(excerpts, estimates, strict=True)
        ]
    )


CHANGES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "mono": lambda stems: stems.mean(axis=-1, keepdims=True).repeat(2, axis=-1),
    "one channel": lambda stems: stems[..., :1],
    "30 dB softer": lambda stems: stems * np.float32(10 ** (-30 / 20)),
}
MAY_COST = 1.2
"""dB: of each stem in the mean over real songs, of all stems in the mean over excerpts of the demo song, whose
instruments are synthetic. Where "the same on both sides" gives singing away, mono costs three of each."""


def lost(separator: Separator, music: list[np.ndarray], sample_rate: int, change: str) -> dict[str, float]:
    """dB of each stem, mean over the excerpts."""
    as_it_is = scores(separator, music, sample_rate)
    changed = scores(separator, [CHANGES[change](stems) for stems in music], sample_rate)
    return dict(zip(STEMS, (as_it_is - changed).mean(axis=0).round(2), strict=True))


@pytest.mark.parametrize("change", CHANGES)
def test_released_models_hold(released: Separator, excerpts: tuple[list[np.ndarray], int], change: str) -> None:
    found = lost(released, *excerpts, change)
    assert sum(found.values()) / len(found) < MAY_COST, found


@pytest.fixture(scope="module")
def real_songs(musdb_root: Path) -> tuple[list[np.ndarray], int]:
    """Half a dozen of the validation split."""
    read = [[track.load_stem[stem]() for stem in STEMS] for track in find_tracks(musdb_root, "valid")[:6]]
    shortest = [min(len(samples) for samples, _ in song) for song in read]
    songs = [np.stack([samples[:length] for samples, _ in song]) for song, length in zip(read, shortest, strict=True)]
    return songs, read[0][0][1]


@pytest.mark.musdb
@pytest.mark.parametrize("change", CHANGES)
def test_released_models_hold_on_real_songs(
    released: Separator, real_songs: tuple[list[np.ndarray], int], change: str
) -> None:
    found = lost(released, *real_songs, change)
    assert max(found.values()) < MAY_COST, found


@pytest.mark.parametrize("change", ["as it is", *CHANGES])
def test_music_without_vocals_has_a_model_of_its_own(excerpts: tuple[list[np.ndarray], int], change: str) -> None:
    """Its drums are better there, and no more of what sustains is taken for singing."""
    silence = np.array([0, 1, 1, 1], np.float32)[:, np.newaxis, np.newaxis]
    changed = CHANGES.get(change, lambda stems: stems)
    music = [changed(silence * stems) for stems in excerpts[0]]
    models = (Separator.load(name) for name in ("default", "accompaniment"))
    default, own = (scores(model, music, excerpts[1])[:, 1:].mean(axis=0) for model in models)
    assert own[0] > default[0] + 0.1
    assert own[-1] > default[-1] - 0.1


def test_the_live_model_is_soon_there_and_small() -> None:
    folder = store.released()["live"]
    separator = Separator.load("live")
    assert separator.course(44100, live=True).latency <= 0.05
    assert (folder / store.TFLITE).stat().st_size < 4e6


def test_the_live_model_gives_the_same_stems_step_by_step(excerpts: tuple[list[np.ndarray], int]) -> None:
    music, sample_rate = excerpts
    mixture, separator = music[0].sum(axis=0), Separator.load("live")
    whole = separator.separate(mixture, sample_rate)
    stream = separator.open(sample_rate, 2, live=True)
    fed = (piece for block in np.split(mixture, [10_000, 90_000]) for piece in stream.feed(block))
    stems = np.concatenate([piece.stems for piece in chain(fed, stream.flush())], axis=1)
    for stem, found in zip(separator.targets, stems, strict=True):
        np.testing.assert_allclose(found, whole[stem], atol=1e-5)
