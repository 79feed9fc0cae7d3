"""Where the package and its extras install: which of them resolve to wheels on which system and Python.

    python -m benchmarks.platforms

Writes PLATFORMS.md. uv resolves setup.cfg's requirements as the other system's Python would, their markers too (pip's
`--platform` judges markers by the machine it runs on), and takes wheels alone. Nothing is installed or run there.
"""

import argparse
import configparser
import os
import re
import subprocess
from collections.abc import Iterator
from datetime import date
from pathlib import Path

from tfwavesep.evaluation import markdown

PAGE = Path(__file__).parent / "PLATFORMS.md"
SETUP = Path(__file__).parents[1] / "setup.cfg"

PLATFORMS = {
    "Linux x86-64": "x86_64-manylinux_2_28",
    "Linux aarch64": "aarch64-manylinux_2_28",
    "macOS arm64": "aarch64-apple-darwin",
    "Windows x86-64": "x86_64-pc-windows-msvc",
}
"""Systems, and what uv calls them."""

PYTHONS = ("3.10", "3.11", "3.12", "3.13", "3.14")
TOLD = ("ai-edge-litert", "tensorflow")
"""Packages whose versions are shown: those whose builds differ most."""

RUN = """\
Run was Linux on x86-64, by all tests. For Linux on aarch64, emulated by qemu-user 7.2 with Debian 12's Python 3.11,
the wheels of the package alone were unpacked and imported; there LiteRT's interpreter ends with a segmentation fault
as it loads a model, so no song was separated. The emulator or LiteRT may be at fault: a machine of that kind is needed
to tell. macOS and Windows were not at hand; `.github/workflows/tests.yml` separates the demo song on each.
"""
"""What was more than resolved."""

Resolved = dict[str, str] | str
"""Versions by package; or why there are none."""


def requirements(setup: configparser.ConfigParser, extra: str) -> list[str]:
    """What pip installs for an extra of this package, or for none (""); extras that name others are followed."""
    lines = setup["options"]["install_requires"] + (setup["options.extras_require"][extra] if extra else "")
    found = []
    for line in filter(None, map(str.strip, lines.splitlines())):
        own = re.fullmatch(r"tfwavesep\[([\w,]+)\]", line)
        found += [r for name in own[1].split(",") for r in requirements(setup, name)] if own else [line]
    return found


def resolve(wanted: list[str], platform: str, python: str) -> Resolved:
    """The wheels that a system's Python gets."""
    command = ["uv", "pip", "compile", "--quiet", "--no-annotate", "--no-header", "--only-binary", ":all:",
               "--python-platform", platform, "--python-version", python, "-"]  # fmt: skip
    ran = subprocess.run(
        command, input="\n".join(wanted), capture_output=True, text=True, check=False,
        env={**os.environ, "UV_PYTHON_DOWNLOADS": "never"},
    )  # fmt: skip
    if ran.returncode:
        return reason(ran.stderr)
    return dict(line.split("==") for line in ran.stdout.split() if "==" in line)


def reason(told: str) -> str:
    """Which package stands in the way, of all that uv tells."""
    found = re.search(r"([\w-]+)\S* (?:has|have) no (?:usable )?wheels", told)
    if not found:
        raise RuntimeError(f"uv: {told.strip()}")
    return f"no wheel of {found[1]}"


def rows(found: dict[tuple[str, str, str], Resolved], extras: list[str]) -> Iterator[list[str]]:
    """For each system and extra, what each Python gets."""
    for platform in PLATFORMS:
        for extra in extras:
            cells = (found[platform, extra, python] for python in PYTHONS)
            told = [cell if isinstance(cell, str) else str(len(cell)) for cell in cells]
            yield [platform, f"`[{extra}]`" if extra else "the package alone", *told]


def versions(found: dict[tuple[str, str, str], Resolved]) -> Iterator[list[str]]:
    """For each system, the versions of `TOLD` with the extra `train`."""
    for platform in PLATFORMS:
        for package in TOLD:
            cells = (found[platform, "train", python] for python in PYTHONS)
            yield [platform, package, *("" if isinstance(cell, str) else cell.get(package, "none") for cell in cells)]


def page(found: dict[tuple[str, str, str], Resolved], extras: list[str]) -> str:
    """The tables as Markdown."""
    return (
        "# Where it installs\n\n"
        "How many packages pip gets, all of them as wheels, for this package and for each of its extras, by system and "
        f"Python; as the package index was on {date.today():%d %B %Y}. Written by `python -m benchmarks.platforms`, "
        f"which resolves for these systems and installs nothing there.\n\n{RUN}\n"
        f"{markdown([['system', 'packages', *PYTHONS], *rows(found, extras)])}\n"
        "What the extra `train` gets:\n\n"
        f"{markdown([['system', 'package', *PYTHONS], *versions(found)])}"
    )


def main() -> None:
    """Resolve and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--page", type=Path, default=PAGE)
    arguments = parser.parse_args()
    setup = configparser.ConfigParser()
    setup.read(SETUP)
    extras = ["", *(name for name in setup["options.extras_require"] if name != "test")]
    found = {}
    for platform, name in PLATFORMS.items():
        for extra in extras:
            for python in PYTHONS:
                found[platform, extra, python] = resolve(requirements(setup, extra), name, python)
                print(platform, python, extra, found[platform, extra, python], flush=True)
    arguments.page.write_text(page(found, extras), encoding="utf-8")


if __name__ == "__main__":
    main()
