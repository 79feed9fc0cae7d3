"""The Fourier transforms against NumPy's, and back to sound."""

import keras
import numpy as np
import pytest

from tfwavesep.layers import STFT, InverseSTFT

SIZES = [(1024, 512), (2048, 512), (4096, 1024), (24, 6)]


def noise(hops: int, hop: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((2, hops * hop, 2)).astype(np.float32)


@pytest.mark.parametrize(("size", "hop"), SIZES)
def test_each_frame_is_the_transform_of_its_windowed_samples(size: int, hop: int) -> None:
    audio = noise(9, hop)
    real, imaginary = STFT(size, hop)(audio)
    window = np.sin(np.pi * np.arange(size) / size) * np.sqrt(2 * hop / size)
    frames = [audio[:, i * hop : i * hop + size].transpose(0, 2, 1) * window for i in range(9 - size // hop + 1)]
    expected = np.fft.rfft(np.stack(frames, axis=2))[..., :-1]
    assert real.shape == expected.shape
    np.testing.assert_allclose(np.asarray(real) + 1j * np.asarray(imaginary), expected, atol=1e-6 * size)


@pytest.mark.parametrize(("size", "hop"), SIZES)
def test_sound_comes_back_without_the_samples_at_its_ends(size: int, hop: int) -> None:
    audio = _without_nyquist(noise(13, hop))
    again = np.asarray(InverseSTFT(size, hop)(*STFT(size, hop)(audio))).transpose(0, 2, 1)
    inner = audio[:, size - hop : -(size - hop)]
    assert again.shape == inner.shape
    if size > 100:  # a short window's frames have energy at the Nyquist frequency, which is dropped
        np.testing.assert_allclose(again, inner, atol=1e-4)


def _without_nyquist(audio: np.ndarray) -> np.ndarray:
    """The upper tenth of the spectrum taken away, so that no frame has energy at the Nyquist frequency."""
    spectrum = np.fft.rfft(audio, axis=1)
    spectrum[:, int(0.9 * spectrum.shape[1]) :] = 0
    return np.fft.irfft(spectrum, n=audio.shape[1], axis=1).astype(np.float32)


def test_a_constant_is_in_the_lowest_bins_alone() -> None:
    real, imaginary = STFT(1024, 512)(np.ones((1, 4096, 1), np.float32))
    magnitude = np.hypot(real, imaginary)
    assert magnitude[..., :3].max() > 100 * magnitude[..., 20:].max()


def test_silence_stays_exact_silence() -> None:
    parts = STFT(2048, 512)(np.zeros((1, 8192, 2), np.float32))
    assert not any(np.asarray(part).any() for part in parts)
    assert not np.asarray(InverseSTFT(2048, 512)(*parts)).any()


def test_gradients_flow_through_both() -> None:
    import tensorflow as tf

    audio = tf.constant(noise(9, 256))
    with tf.GradientTape() as tape:
        tape.watch(audio)
        again = InverseSTFT(1024, 256)(*STFT(1024, 256)(audio))
        energy = tf.reduce_sum(again**2)
    gradient = tape.gradient(energy, audio).numpy()
    assert np.isfinite(gradient).all()
    assert np.abs(gradient[:, 1024:1280]).max() > 0


def test_layers_are_rebuilt_from_their_config() -> None:
    layer = InverseSTFT(1024, 256)
    again = keras.layers.deserialize(keras.layers.serialize(layer))
    assert (again.size, again.hop) == (1024, 256)
