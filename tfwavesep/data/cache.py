"""Tracks decoded once: WAV files at the model's rate and channels, one folder for what is in a track's files. They are
not compressed, so that any part of them can be had at once."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from tfwavesep import audio, system
from tfwavesep.data import tracks
from tfwavesep.data.tracks import Track
from tfwavesep.models import ModelConfig

BLOCK = 2**16
"""Samples that are looked at at once."""

VOICED_CHUNK_SECONDS = 0.05
VOICED_THRESHOLD = 0.1


@dataclass(frozen=True)
class Prepared:
    """One stem of many tracks in the cache.

    Attributes:
        files: WAV, 16 bits, at the model's rate and channels.
        lengths: samples per channel of each.
    """

    files: list[Path]
    lengths: list[int]


def prepare(found: list[Track], stem: str, model: ModelConfig, cache: Path) -> Prepared:
    """Decode one stem of all tracks into the cache; what is there already is kept.

    Raises:
        AudioError: a file cannot be decoded, or the cache not be written.
        DataError: a file cannot be read.
    """
    folder = cache / f"{model.sample_rate}hz_{model.channels}ch"
    contents = tracks.fingerprints([[track] for track in found])
    files = [folder / each / stem / f"{track.name}.wav" for each, track in zip(contents, found, strict=True)]
    with ThreadPoolExecutor(system.cores()) as pool:
        jobs = [pool.submit(_prepare_one, t, stem, model, f) for t, f in zip(found, files, strict=True)]
        try:
            for job in jobs:
                job.result()
        except BaseException:  # also an interruption: the others are not waited for
            pool.shutdown(cancel_futures=True)
            raise
    return Prepared(files, [soundfile.info(str(file)).frames for file in files])


def _prepare_one(track: Track, stem: str, model: ModelConfig, file: Path) -> None:
    if file.exists():
        return
    samples, sample_rate = track.load_stem[stem]()
    samples = audio.to_channels(audio.resample(samples, sample_rate, model.sample_rate), model.channels)
    audio.write(file, np.clip(samples, -1, 1), model.sample_rate, "PCM_16")


def is_silent(file: Path) -> bool:
    """Whether all samples of a file in the cache are 0."""
    return not any(block.any() for block in soundfile.blocks(str(file), BLOCK, dtype="int16"))


def voiced_chunks(prepared: Prepared) -> np.ndarray:
    """Where somebody sings: `(n, 2)` int64, track and first sample of each 50 ms chunk of a vocal stem whose mean
    magnitude is at least a tenth of the track's loudest chunk.

    Reference:
        `extract_voice_percentage` of Lluís, Pons & Serra 2018, released code, with the same chunk and
        threshold. Theirs joins chunks to runs and draws a song anew where a run is shorter than the fragment; ours
        draws a chunk and places the fragment around it, so that short phrases are met too.
    """
    rows = []
    for track, file in enumerate(prepared.files):
        samples, sample_rate = soundfile.read(str(file), dtype="float32", always_2d=True)
        chunk = int(VOICED_CHUNK_SECONDS * sample_rate)
        whole = np.abs(samples[: len(samples) // chunk * chunk])
        level = whole.reshape(-1, chunk * samples.shape[1]).mean(axis=1)
        loud = np.flatnonzero((level >= VOICED_THRESHOLD * level.max(initial=0)) & (level > 0))
        rows.append(np.stack([np.full_like(loud, track), loud * chunk], axis=1))
    return np.concatenate(rows) if rows else np.zeros((0, 2), np.int64)
