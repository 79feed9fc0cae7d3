"""`tfwavesep live`."""

import math
import sys
import time
from collections import deque
from itertools import islice
from typing import TYPE_CHECKING

import click

from . import tables

if TYPE_CHECKING:
    from tfwavesep.audio.devices import Device, Duplex
    from tfwavesep.separation import Separator

METER_SECONDS = 0.5

KEPT = 30_000
"""Steps whose times are kept, the last ten minutes of them: whoever plays for a day needs no more memory."""


@click.command()
@click.option("-m", "--model", default="live", show_default=True, help="A model that was exported with --live.")
@click.option("--input", "source", metavar="DEVICE", help="Number of a device to listen to, or a part of its name.")
@click.option("--output", "sink", metavar="DEVICE", help="Number of a device to play to, or a part of its name.")
@click.option("--gain", "gains", default="", metavar="STEM=GAIN,...",
              help="Factor of each stem, or decibels: vocals=0,drums=-6dB. By default 1.")  # fmt: skip
@click.option("--rate", type=click.IntRange(min=1000), metavar="HZ",
              help="Of both devices. By default the model's if they take it, else their own.")  # fmt: skip
@click.option("--block", type=int, metavar="SAMPLES",
              help="Of a step, at the model's rate. By default about 20 ms; longer ones take less work.")  # fmt: skip
@click.option("--list-devices", is_flag=True, help="Show what there is, and end.")
def live(
    model: str,
    source: str | None,
    sink: str | None,
    gains: str,
    rate: int | None,
    block: int | None,
    list_devices: bool,
) -> None:
    """Play what a sound device hears, with its stems mixed anew, until Ctrl-C.

    \b
    Example:
      tfwavesep live --list-devices
      tfwavesep live --gain vocals=0
    """
    from tfwavesep.audio import devices

    if list_devices:
        _show(devices.devices())
        return
    from tfwavesep.separation import Separator, parse_gains

    heard, played = devices.find(source, "inputs"), devices.find(sink, "outputs")
    separator = Separator.load(model)
    factors = parse_gains(gains, separator.targets)
    rate = rate or devices.fitting_rate(heard, played, separator.sample_rate)
    course = separator.course(rate, live=True, block=block)
    samples = -(-course.grid.target_length * rate // separator.sample_rate)
    with devices.Duplex(heard, played, rate, samples) as sound:
        _play(sound, separator, factors, block, samples)


def _show(found: "list[Device]") -> None:
    from rich.table import Table

    table = Table("number", "device", "system", "inputs", "outputs", "rate")
    for each in found:
        sizes = (each.number, each.name, each.system, each.inputs, each.outputs, f"{each.sample_rate} Hz")
        table.add_row(*map(str, sizes))
    tables.show(table)


def _play(sound: "Duplex", separator: "Separator", factors: list[float], block: int | None, samples: int) -> None:
    """Until somebody interrupts it."""
    import numpy as np

    late = separator.course(sound.sample_rate, live=True, block=block).latency
    meter = _Meter(samples / sound.sample_rate, late, sound)
    stream = separator.open(sound.sample_rate, sound.channels, live=True, block=block)
    waiting = np.zeros((math.ceil(late * sound.sample_rate), sound.channels), np.float32)
    try:
        while True:
            heard = sound.read()
            began = time.perf_counter()
            mixed = [np.tensordot(factors, piece.stems, 1).astype(np.float32) for piece in stream.feed(heard)]
            waiting = np.concatenate([waiting, *mixed])
            meter.took(time.perf_counter() - began)
            sound.write(waiting[:samples])
            waiting = waiting[samples:]
    except KeyboardInterrupt:
        meter.end()


class _Meter:
    """Tells load, latency and glitches: now and then at a terminal, and at the end.

    Args:
        block: seconds of audio between two steps.
        late: seconds that the stems are behind the music.
        sound: what is played.
    """

    def __init__(self, block: float, late: float, sound: "Duplex") -> None:
        self._block, self._late, self._sound = block, late, sound
        self._times: deque[float] = deque(maxlen=KEPT)
        self._steps = 0
        self._shown = time.monotonic()
        self._is_seen = sys.stderr is not None and sys.stderr.isatty()

    def took(self, seconds: float) -> None:
        """A step took so long."""
        self._times.append(seconds)
        self._steps += 1
        if self._is_seen and time.monotonic() - self._shown > METER_SECONDS:
            self._shown = time.monotonic()
            click.echo(f"\r{self._line(list(islice(reversed(self._times), 50)))} ", nl=False, err=True)

    def end(self) -> None:
        """Nothing more will come."""
        if self._is_seen:
            click.echo("\r", nl=False, err=True)
        click.echo(f"played {self._steps * self._block:.1f} s: {self._line(list(self._times))}", err=True)

    def _line(self, times: list[float]) -> str:
        import numpy as np

        load = np.quantile(times or [0.0], [0.5, 0.99]) / self._block
        total = self._late + self._sound.latency
        return (
            f"load {load[0]:.0%} (p99 {load[1]:.0%}), {1000 * total:.0f} ms behind, of which the devices have "
            f"{1000 * self._sound.latency:.0f}; {self._sound.glitches} glitches"
        )
