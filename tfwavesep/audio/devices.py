"""Sound devices, through PortAudio: what goes in and comes out while it is played."""

from dataclasses import dataclass
from types import TracebackType
from typing import Any

import numpy as np

from tfwavesep.errors import AudioError

INSTALL = "pip install 'tfwavesep[live]'"
MOST_CHANNELS = 2
"""That are taken of a device; many have more than anything is connected to."""


@dataclass(frozen=True)
class Device:
    """One of the machine's.

    Attributes:
        number: PortAudio's.
        name: as the system calls it.
        system: what it belongs to, such as ALSA or Core Audio.
        inputs: channels that can be taken.
        outputs: channels that can be given.
        sample_rate: that it has by itself, Hz.
    """

    number: int
    name: str
    system: str
    inputs: int
    outputs: int
    sample_rate: int


def devices() -> list[Device]:
    """All that there are, by their numbers.

    Raises:
        AudioError: sounddevice or PortAudio is not installed.
    """
    sounddevice = _sounddevice()
    systems = sounddevice.query_hostapis()
    return [
        Device(
            number,
            each["name"],
            systems[each["hostapi"]]["name"],
            each["max_input_channels"],
            each["max_output_channels"],
            round(each["default_samplerate"]),
        )
        for number, each in enumerate(sounddevice.query_devices())
    ]


def find(wanted: str | None, side: str) -> Device:
    """A device that is meant.

    Args:
        wanted: its number or a part of its name, or None for the system's own choice.
        side: "inputs" or "outputs": what it must have.

    Raises:
        AudioError: there is none or several; those that could be meant are listed.
    """
    able = [each for each in devices() if getattr(each, side)]
    listed = ", ".join(f"{each.number} {each.name}" for each in able) or "none"
    if wanted is None:
        found = [each for each in able if each.number == _chosen(side)]
        wanted = "by default"
    else:
        exact = [each for each in able if wanted in (str(each.number), each.name)]
        found = exact or [each for each in able if wanted.lower() in each.name.lower()]
    if len(found) != 1:
        which = "several devices" if found else "no device"
        raise AudioError(f"{wanted}: {which} with {side}; there are: {listed}")
    return found[0]


def fitting_rate(source: Device, sink: Device, wished: int) -> int:
    """The rate that is wished for, in Hz, if both devices take it; else the source's own."""
    sounddevice = _sounddevice()
    try:
        sounddevice.check_input_settings(source.number, min(source.inputs, MOST_CHANNELS), "float32", None, wished)
        sounddevice.check_output_settings(sink.number, min(sink.outputs, MOST_CHANNELS), "float32", None, wished)
    except (ValueError, sounddevice.PortAudioError):
        return source.sample_rate
    return wished


class Duplex:
    """Sound that comes from one device and goes to another, block by block, as they play.

    Args:
        source: to listen to.
        sink: to play to.
        sample_rate: Hz, of both.
        block: samples of each read and write.

    Attributes:
        sample_rate: Hz, of both.
        channels: that are heard.
        glitches: blocks where sound was lost because nobody took it in time, or there was none to play.

    Raises:
        AudioError: a device is busy, missing, or takes no such rate.
    """

    def __init__(self, source: Device, sink: Device, sample_rate: int, block: int) -> None:
        self._block = block
        self.sample_rate = sample_rate
        self.channels, self._played = min(source.inputs, MOST_CHANNELS), min(sink.outputs, MOST_CHANNELS)
        self.glitches = 0
        self._names = f"{source.name} to {sink.name}" if source != sink else source.name
        sounddevice = _sounddevice()
        self._error = sounddevice.PortAudioError
        try:
            self._stream = sounddevice.Stream(
                sample_rate, block, (source.number, sink.number), (self.channels, self._played), "float32", "low"
            )
        except self._error as error:
            raise self._told(error) from error

    @property
    def latency(self) -> float:
        """Seconds that both devices add, as they tell it."""
        return float(sum(self._stream.latency))

    def __enter__(self) -> "Duplex":
        _with_errors(self._stream.start, self._error, self._told)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.close()

    def read(self) -> np.ndarray:
        """The next block, float32 `(block, channels)`; waits for it.

        Raises:
            AudioError: the device is gone.
        """
        samples, lost = _with_errors(lambda: self._stream.read(self._block), self._error, self._told)
        self.glitches += bool(lost)
        return np.asarray(samples)

    def write(self, samples: np.ndarray) -> None:
        """Play the next block, `(block, channels)`; if the device has another number of them, the mean on each.

        Raises:
            AudioError: the device is gone.
        """
        if samples.shape[1] != self._played:
            samples = np.repeat(samples.mean(axis=1, keepdims=True), self._played, axis=1)
        played = np.ascontiguousarray(samples, np.float32)
        self.glitches += bool(_with_errors(lambda: self._stream.write(played), self._error, self._told))

    def _told(self, error: Exception) -> AudioError:
        return AudioError(
            f"{self._names}: {' '.join(str(error).split())}; is it there, free, and at {self.sample_rate} Hz?"
        )


def _chosen(side: str) -> int | None:
    """The number of the device that the system would take."""
    sounddevice = _sounddevice()
    try:
        return int(sounddevice.query_devices(kind=side.removesuffix("s"))["index"])
    except (ValueError, sounddevice.PortAudioError):  # it has none
        return None


def _with_errors(call: Any, kind: type[Exception], told: Any) -> Any:
    """What a call returns; an error of PortAudio as one line."""
    try:
        return call()
    except kind as error:
        raise told(error) from error


def _sounddevice() -> Any:
    try:
        import sounddevice
    except ModuleNotFoundError as error:
        raise AudioError(f"sound devices need another package: {INSTALL}") from error
    except OSError as error:  # the package is there, the library is not
        raise AudioError(f"sound devices need PortAudio (Debian: libportaudio2): {error}") from error
    return sounddevice
