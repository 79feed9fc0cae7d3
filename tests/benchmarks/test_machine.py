"""What is told of the machine."""

from pathlib import Path

import pytest

from benchmarks.machine import processor
from tfwavesep import system


@pytest.mark.parametrize(
    ("flags", "expected"),
    [("avx2 avx512f avx512_bf16", "AMD EPYC avx512_bf16"), ("avx2 fma", "AMD EPYC avx2"), ("sse2", "AMD EPYC")],
)
def test_a_processor_is_told_with_the_best_of_its_arithmetic(
    flags: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(system, "PROCESSOR", tmp_path / "cpuinfo")
    assert processor()
    (tmp_path / "cpuinfo").write_text(f"processor\t: 0\nmodel name\t: AMD EPYC\nflags\t\t: fpu {flags}\n\n" * 2)
    assert processor() == expected
