"""Scores: museval's own numbers, and what is known of them beforehand."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
from conftest import synthetic_stems

from tfwavesep.data import stempeg
from tfwavesep.errors import AudioError
from tfwavesep.evaluation import METRICS, Estimates, metrics
from tfwavesep.evaluation.metrics import Scorer, compare_files, ideal_ratio_mask, sdr, with_accompaniment

RATE = 8000


def bss_eval(name: str, references: Estimates, estimates: Estimates, rate: int, quick: bool = False) -> str:
    return Scorer(name, references, rate, quick)(estimates)


def noise(seconds: float, seed: int, channels: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((int(seconds * RATE), channels))


def test_sdr_is_musevals() -> None:
    references = {"vocals": 0.3 * noise(4, 0), "accompaniment": 0.2 * noise(4, 1)}
    loudness = np.linspace(0.1, 2, 4 * RATE)[:, np.newaxis]
    estimates = {name: 0.8 * audio + 0.1 * loudness * noise(4, 2) for name, audio in references.items()}
    scores = json.loads(bss_eval("noise", references, estimates, RATE))
    for target in scores["targets"]:
        name = target["name"]
        expected = np.median([frame["metrics"]["SDR"] for frame in target["frames"]])
        assert sdr(references[name], estimates[name], RATE) == pytest.approx(expected, abs=0.01)


FIVE = ("vocals", "drums", "bass", "other", "accompaniment")


def song(seconds: float, channels: int, seed: int) -> tuple[Estimates, Estimates]:
    """True stems and estimates of them, louder and softer; the second second of the drums is silent."""
    references = {stem: 0.2 * noise(seconds, seed + i, channels) for i, stem in enumerate(FIVE[:4])}
    references["drums"][RATE : 2 * RATE] = 0
    loudness = np.linspace(0.1, 2, int(seconds * RATE))[:, np.newaxis]
    estimates = {stem: 0.8 * audio + 0.1 * loudness * noise(seconds, 9, channels) for stem, audio in references.items()}
    return with_accompaniment(references), with_accompaniment(estimates)


def frames(text: str, metric: str) -> dict[str, list[float]]:
    """Of a text in museval's schema, for each target."""
    return {t["name"]: [frame["metrics"][metric] for frame in t["frames"]] for t in json.loads(text)["targets"]}


@pytest.fixture(scope="module")
def both_ways() -> tuple[str, str]:
    """museval's scores of a song, and ours."""
    stempeg.ensure()
    import museval

    references, estimates = song(3, 2, 0)
    targets = {target: SimpleNamespace(audio=reference) for target, reference in references.items()}
    track = SimpleNamespace(name="noise", rate=RATE, targets=targets, subset="")
    return museval.eval_mus_track(track, estimates).json, bss_eval("noise", references, estimates, RATE)


@pytest.mark.parametrize("metric", METRICS)
def test_scores_are_those_of_musevals_own_way(metric: str, both_ways: tuple[str, str]) -> None:
    theirs, ours = (frames(text, metric) for text in both_ways)
    assert list(ours) == list(theirs)
    for target in FIVE:
        np.testing.assert_allclose(ours[target], theirs[target], atol=1e-4)


@pytest.mark.parametrize(("seconds", "channels"), [(3.7, 2), (3, 1), (0.6, 2)])
def test_the_quick_way_gives_musevals_sdr(seconds: float, channels: int) -> None:
    """Frame by frame, also which have none; and nothing else."""
    references, estimates = song(seconds, channels, 5)
    estimates["bass"][2 * RATE :] = 0
    slow, quick = (bss_eval("noise", references, estimates, RATE, quick=quick) for quick in (False, True))
    expected, found = frames(slow, "SDR"), frames(quick, "SDR")
    assert found.keys() == expected.keys()
    for target in FIVE:
        np.testing.assert_allclose(found[target], expected[target], atol=1e-4)
    assert np.isnan(list(frames(quick, "SIR").values())).all()


@pytest.mark.parametrize("quick", [False, True])
@pytest.mark.parametrize("silent", FIVE)
def test_one_silent_stem_leaves_the_others_their_scores(silent: str, quick: bool) -> None:
    """Without it they are scored as if it had never been."""
    references, estimates = song(3, 1, 0)
    references[silent] = 0 * references[silent]
    scores = frames(bss_eval("noise", references, estimates, RATE, quick=quick), "SDR")
    assert set(scores) == set(FIVE) - {silent}
    for target, values in scores.items():
        (reference, estimate) = (each[target][2 * RATE :] for each in (references, estimates))
        assert values[2] == pytest.approx(sdr(reference, estimate, RATE), abs=1e-4)


def test_a_stem_alone_has_no_interference() -> None:
    references, estimates = song(2, 1, 0)
    text = bss_eval("noise", {"vocals": references["vocals"]}, estimates, RATE)
    assert np.isnan(frames(text, "SIR")["vocals"]).all()
    assert np.isfinite(frames(text, "SAR")["vocals"]).all()


def test_a_second_of_silence_in_an_estimate_counts() -> None:
    """museval leaves it out: who estimates nothing where a stem is hard would score better there."""
    references = {"vocals": 0.3 * noise(4, 0), "accompaniment": 0.2 * noise(4, 1)}
    estimates = {name: 1.1 * audio for name, audio in references.items()}
    estimates["vocals"][: 3 * RATE] = 0
    (target,) = (
        t for t in json.loads(bss_eval("noise", references, estimates, RATE))["targets"] if t["name"] == "vocals"
    )
    assert np.nanmedian([frame["metrics"]["SDR"] for frame in target["frames"]]) == pytest.approx(20, abs=0.01)
    assert sdr(references["vocals"], estimates["vocals"], RATE) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("decibels", [-10, 0, 3, 20, 60])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("seconds", [0.5, 1, 3.3])
def test_sdr_of_a_scaled_error_is_known(decibels: float, channels: int, seconds: float) -> None:
    reference = noise(seconds, 0, channels)
    assert sdr(reference, reference * (1 + 10 ** (-decibels / 20)), RATE) == pytest.approx(decibels, abs=1e-6)


def test_sdr_is_the_median_over_seconds() -> None:
    reference = noise(5, 0)
    errors = np.repeat([1, 0.1, 10, 0.01, 100], RATE)[:, np.newaxis]
    assert sdr(reference, reference * (1 + errors), RATE) == pytest.approx(0, abs=1e-9)


def test_silent_seconds_are_left_out() -> None:
    reference = noise(3, 0)
    reference[RATE : 3 * RATE] = 0
    estimate = 1.1 * reference + (reference == 0)
    assert sdr(reference, estimate, RATE) == pytest.approx(20, abs=1e-9)


def test_a_silent_reference_has_no_sdr() -> None:
    assert np.isnan(sdr(np.zeros((2 * RATE, 1)), noise(2, 0), RATE))


def test_a_perfect_estimate_has_a_finite_sdr() -> None:
    reference = noise(2, 0)
    assert 100 < sdr(reference, reference, RATE) < 1000


def test_rounding_is_to_16_bits() -> None:
    audio = noise(0.1, 0)
    rounded = metrics.rounded(audio)
    np.testing.assert_array_equal(rounded * 32768, np.round(rounded * 32768))
    assert np.abs(rounded - audio).max() <= 0.5 / 32768


@pytest.mark.parametrize("targets", [("vocals", "drums", "bass", "other"), ("vocals", "accompaniment")])
def test_accompaniment_is_all_but_the_vocals(targets: tuple[str, ...]) -> None:
    estimates = {target: noise(0.1, i) for i, target in enumerate(targets)}
    completed = with_accompaniment(estimates)
    assert set(completed) == {*targets, "accompaniment"}
    total = completed["vocals"] + completed["accompaniment"]
    np.testing.assert_allclose(total, sum(estimates.values()), atol=1e-12)


def test_ideal_masks_beat_the_mixture_and_share_it_out() -> None:
    references = synthetic_stems(3, 16000, seed=0)
    mixture = sum(references.values())
    masked = ideal_ratio_mask(mixture, references, references)
    for target, reference in references.items():
        assert masked[target].shape == mixture.shape
        assert sdr(reference, masked[target], 16000) > 2 + sdr(reference, mixture / 4, 16000)
    np.testing.assert_allclose(sum(masked.values()), mixture, atol=1e-5)


def write(folder: Path, stems: dict[str, np.ndarray], rate: int = RATE) -> dict[str, Path]:
    folder.mkdir()
    paths = {stem: folder / f"{stem}.wav" for stem in stems}
    for stem, path in paths.items():
        soundfile.write(path, stems[stem], rate, "DOUBLE")
    return paths


def test_files_are_scored_against_those_of_the_same_name(tmp_path: Path) -> None:
    true = {"vocals": noise(2, 0), "drums": noise(2, 1)}
    estimates = {**{stem: 1.1 * audio for stem, audio in true.items()}, "bass": noise(2, 2)}
    write(tmp_path / "true", true)
    soundfile.write(tmp_path / "true" / "drums.backup.wav", noise(1, 3), RATE)  # sorts before drums.wav
    scores = compare_files(write(tmp_path / "estimates", estimates), tmp_path / "true")
    assert scores == pytest.approx({"vocals": 20, "drums": 20}, abs=1e-4)


@pytest.mark.parametrize(("audio", "rate"), [(noise(1.9, 0), RATE), (noise(2, 0, 2), RATE), (noise(2, 0), 2 * RATE)])
def test_files_that_do_not_fit_are_refused(audio: np.ndarray, rate: int, tmp_path: Path) -> None:
    write(tmp_path / "true", {"vocals": audio}, rate)
    estimates = write(tmp_path / "estimates", {"vocals": noise(2, 0)})
    with pytest.raises(AudioError, match=r"vocals\.wav: is no reference of .*vocals\.wav: has \d+ samples of \d chan"):
        compare_files(estimates, tmp_path / "true")
