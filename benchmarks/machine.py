"""What it was measured on."""

import os
import platform

from tfwavesep import system

ARITHMETIC = ("amx_bf16", "avx512_bf16", "avx512_vnni", "avx512f", "avx2")
"""Extensions that networks gain from, the best first."""


def machine() -> str:
    """What it was measured on."""
    return f"{processor()}, {os.cpu_count()} cores, Python {platform.python_version()}"


def processor() -> str:
    """The processor's name and the widest arithmetic it has, where the system tells them.

    Clouds call processors of several years by one name; of CPU time on one that is half as fast, twice as much is
    needed.
    """
    told = system.processor()
    widest = next((name for name in ARITHMETIC if name in told.get("flags", "").split()), "")
    return f"{told.get('model name', platform.machine())} {widest}".strip()
