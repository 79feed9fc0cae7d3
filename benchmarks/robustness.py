"""How a model holds on recordings that are not as a studio leaves them: mono, quiet, loud, compressed, detuned.

    python -m benchmarks.robustness [MODEL] --data MUSDB18 [--subset test]

Writes ROBUSTNESS.md. Each track is mixed from its stems, changed together with them, separated and scored: SDR in dB,
the median over 1-second frames, then over tracks, as museval's, against the stems changed alike. Where a codec or
clipping cannot be undone stem by stem, the stems stay as they were, and the table tells what is lost to it.
"""

import argparse
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from scipy.signal import butter, fftconvolve, sosfiltfilt

from tfwavesep import audio
from tfwavesep.data import Track, find_tracks
from tfwavesep.evaluation import markdown, sdr, with_accompaniment
from tfwavesep.separation import Separator
from tfwavesep.stems import STEMS, weights

PAGE = Path(__file__).parent / "ROBUSTNESS.md"
WORTH_TELLING = 1.0
"""A fall of so many dB is a fault to be trained away or explained."""

Sources = tuple[np.ndarray, np.ndarray, int]
"""A mixture `(time, channels)`, its stems `(stems, time, channels)`, and their rate in Hz."""


def mixed(change: Callable[[np.ndarray, int], np.ndarray], rate: float = 1.0) -> Callable[[np.ndarray, int], Sources]:
    """A change of stems, whose sum is the mixture; `rate` is that of the result to the rate that was."""

    def changed(stems: np.ndarray, sample_rate: int) -> Sources:
        new = np.stack([change(stem, sample_rate) for stem in stems]).astype(np.float32)
        return new.sum(axis=0), new, round(sample_rate * rate)

    return changed


def mixture_only(change: Callable[[np.ndarray, int], np.ndarray], gain: float = 1.0) -> Callable[..., Sources]:
    """A change that a mixture goes through as a whole; its stems stay as they were, at this gain."""

    def changed(stems: np.ndarray, sample_rate: int) -> Sources:
        loud = np.float32(gain) * stems
        return change(loud.sum(axis=0), sample_rate).astype(np.float32), loud, sample_rate

    return changed


def low_passed(cutoff: float) -> Callable[[np.ndarray, int], np.ndarray]:
    return lambda stem, rate: sosfiltfilt(butter(8, cutoff, fs=rate, output="sos"), stem, axis=0)


def resampled(to_rate: int) -> Callable[[np.ndarray, int], np.ndarray]:
    return lambda stem, rate: audio.resample(stem, rate, to_rate)


def detuned(stem: np.ndarray, rate: int) -> np.ndarray:
    """Ten cents flat, as a record that turns too slowly."""
    return audio.resample(stem, 10_000, round(10_000 * 2 ** (10 / 1200)))


def reverberated(stem: np.ndarray, rate: int) -> np.ndarray:
    """In a room whose sound falls by 60 dB in half a second: noise that decays, another for each channel."""
    time = np.arange(int(0.5 * rate)) / rate
    room = np.random.default_rng(0).standard_normal((len(time), stem.shape[1])) * 10 ** (-3 * time / 0.5)[:, np.newaxis]
    room *= 0.5 / np.sqrt((room**2).sum(axis=0))
    room[0] += 1
    return fftconvolve(stem, room, axes=0)[: len(stem)]


def as_mp3(mixture: np.ndarray, rate: int) -> np.ndarray:
    """MP3 of 64 kbit/s and back."""
    import av

    with tempfile.NamedTemporaryFile(suffix=".mp3") as file, av.open(file.name, "w") as container:
        stream = container.add_stream("mp3", rate=rate, layout="stereo")
        stream.bit_rate = 64_000
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(mixture.T, np.float32), "fltp", "stereo")
        frame.sample_rate = rate
        container.mux([*stream.encode(frame), *stream.encode(None)])
        container.close()
        return audio.read(Path(file.name))[0][: len(mixture)]


def as_telephone(stem: np.ndarray, rate: int) -> np.ndarray:
    """One channel at 8 kHz."""
    return audio.resample(stem.mean(axis=1, keepdims=True), rate, 8000)


CONDITIONS: dict[str, Callable[[np.ndarray, int], Sources]] = {
    "as it is": mixed(lambda stem, rate: stem),
    "mono": mixed(lambda stem, rate: stem.mean(axis=1, keepdims=True).repeat(2, axis=1)),
    "left channel only": mixed(lambda stem, rate: stem[:, :1]),
    "channels swapped": mixed(lambda stem, rate: stem[:, ::-1]),
    "one channel inverted": mixed(lambda stem, rate: stem * np.array([1, -1], np.float32)),
    "30 dB softer": mixed(lambda stem, rate: stem * np.float32(10 ** (-30 / 20))),
    "12 dB louder": mixed(lambda stem, rate: stem * np.float32(10 ** (12 / 20))),
    "nothing above 8 kHz": mixed(low_passed(8000)),
    "nothing above 4 kHz": mixed(low_passed(4000)),
    "MP3, 64 kbit/s": mixture_only(as_mp3),
    "telephone, 8 kHz": lambda stems, rate: (*mixed(as_telephone)(stems, rate)[:2], 8000),
    "clipped by 6 dB": lambda stems, rate: clipped(stems, rate),
    "reverberation of 0.5 s": mixed(reverberated),
    "48 kHz": lambda stems, rate: (*mixed(resampled(48_000))(stems, rate)[:2], 48_000),
    "10 cents flat": mixed(detuned),
}


def clipped(stems: np.ndarray, rate: int) -> Sources:
    """The mixture twice as loud as full scale takes, and cut there."""
    gain = 2 / max(float(np.abs(stems.sum(axis=0)).max()), 1e-9)
    return mixture_only(lambda mixture, _: np.clip(mixture, -1, 1), gain)(stems, rate)


def loaded(track: Track) -> tuple[np.ndarray, int]:
    """Its stems `(4, time, channels)` and their rate."""
    found = [track.load_stem[stem]() for stem in STEMS]
    length = min(len(samples) for samples, _ in found)
    return np.stack([samples[:length] for samples, _ in found]), found[0][1]


def scores(separator: Separator, tracks: list[Track]) -> Iterator[tuple[str, dict[str, float]]]:
    """Each condition with the SDR of each target."""
    music = [loaded(track) for track in tracks]
    for name, change in CONDITIONS.items():
        rows = []
        for stems, rate in music:
            mixture, references, new_rate = change(stems, rate)
            estimates = with_accompaniment(separator.separate(mixture, new_rate))
            true = np.einsum("ts,slc->tlc", weights(list(estimates)), references)
            rows.append([sdr(r, e, new_rate) for r, e in zip(true, estimates.values(), strict=True)])
        yield name, dict(zip(estimates, map(float, np.nanmedian(rows, axis=0)), strict=True))


def page(model: str, subset: str, tracks: int, found: dict[str, dict[str, float]]) -> str:
    """The table as Markdown; falls beyond `WORTH_TELLING` are bold."""
    usual = found["as it is"]

    def cell(value: float, before: float) -> str:
        text = f"{value:.2f} ({value - before:+.2f})"
        return f"**{text}**" if value < before - WORTH_TELLING else text

    first = ["as it is", *(f"{value:.2f}" for value in usual.values())]
    rows = [
        [name, *(cell(value, usual[target]) for target, value in values.items())]
        for name, values in found.items()
        if name != "as it is"
    ]
    return (
        f"# How a model holds on recordings as they are\n\nModel `{model}`, {tracks} {subset} tracks, mixed from their "
        "stems: SDR in dB, the median over 1-second frames, then over tracks, and how far from that of the tracks as "
        f"they are; bold where more than {WORTH_TELLING:.0f} dB is lost. Written by `python -m "
        "benchmarks.robustness`.\n\n"
        f"{markdown([['the same tracks', *usual], first, *rows])}"
    )


def main() -> None:
    """Measure and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", nargs="?", default="default")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--subset", default="test", choices=["valid", "test", "train"])
    parser.add_argument("--page", type=Path, default=PAGE)
    arguments = parser.parse_args()
    tracks = find_tracks(arguments.data, arguments.subset)
    found = {}
    for name, values in scores(Separator.load(arguments.model), tracks):
        found[name] = values
        print(name, *(f"{target} {value:.2f}" for target, value in values.items()), flush=True)
    arguments.page.write_text(page(arguments.model, arguments.subset, len(tracks), found), encoding="utf-8")


if __name__ == "__main__":
    main()
