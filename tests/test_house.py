"""The layout: imports go one way, everything is packaged, the command line starts fast."""

import ast
import configparser
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

WINGS = [
    "errors",
    "stems",
    "plain",
    "hush",
    "places",
    "audio",
    "layers",
    "models",
    "config",
    "data",
    "store",
    "backends",
    "training",
    "separation",
    "stemfiles",
    "batch",
    "evaluation",
    "release",
]
"""From the top floor down: what is in a wing imports from wings above it, and from its own."""


def names(path: Path) -> set[str]:
    """The full names that a file imports, or uses of a module that it imports, at any depth."""
    tree = ast.parse(path.read_text())
    local: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            local |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            local |= {alias.asname or alias.name: alias.name for alias in node.names}
    return set(local.values()) | {
        f"{local.get(node.value.id)}.{node.attr}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
    }


def wing_of(path: Path) -> str:
    return path.relative_to(ROOT / "tfwavesep").parts[0].removesuffix(".py")


LIBRARY = sorted(path for path in (ROOT / "tfwavesep").rglob("*.py") if path != ROOT / "tfwavesep" / "__init__.py")


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_the_wings_are_all_there_is() -> None:
    assert {wing_of(path) for path in LIBRARY} == set(WINGS)


def test_the_picture_shows_them_in_this_order() -> None:
    picture = (ROOT / "docs" / "house.svg").read_text()
    shown = " ".join(re.findall(r'font-weight="600" fill="#1b1f24"[^>]*>([^<]+)<', picture)).split()
    assert [name for name in shown if name in WINGS] == WINGS


@pytest.mark.parametrize("path", LIBRARY, ids=relative)
def test_imports_run_downwards(path: Path) -> None:
    wing = wing_of(path)
    imported = {name.split(".")[1] for name in names(path) if name.startswith("tfwavesep.")} & set(WINGS)
    assert imported <= {wing, *WINGS[: WINGS.index(wing)]}


@pytest.mark.parametrize(
    "path", [p for folder in ("tfwavesep", "cli", "benchmarks") for p in sorted((ROOT / folder).rglob("*.py"))],
    ids=relative,
)  # fmt: skip
def test_what_is_private_stays_within_its_package(path: Path) -> None:
    private = {n for n in names(path) if n.startswith(("tfwavesep.", "benchmarks.")) and re.search(r"\._(?!_)", n)}
    package = ".".join(path.relative_to(ROOT).parent.parts)
    assert {name for name in private if package != name.split("._")[0]} == set()


def test_library_does_not_know_the_command_line() -> None:
    assert not [p for p in (ROOT / "tfwavesep").rglob("*.py") if "tfwavesep_cli" in p.read_text()]


def test_every_package_is_listed() -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    listed = set(setup["options"]["packages"].split())
    folders = {".".join(p.parent.relative_to(ROOT).parts) for p in (ROOT / "tfwavesep").rglob("__init__.py")}
    assert listed == folders | {"tfwavesep_cli", "tfwavesep_saved_models", "tfwavesep_web"}


@pytest.mark.parametrize("arguments", [["--help"], ["separate", "--help"], ["train", "--help"]])
def test_help_loads_neither_tensorflow_nor_numpy(arguments: list[str]) -> None:
    code = (
        "import sys, contextlib\n"
        "from tfwavesep_cli.main import cli\n"
        f"with contextlib.suppress(SystemExit): cli({arguments!r})\n"
        "print({'tensorflow', 'numpy'} & set(sys.modules))"
    )
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert output.strip().endswith("set()")


def test_public_names_resolve() -> None:
    import tfwavesep

    assert all(getattr(tfwavesep, name) for name in tfwavesep.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = tfwavesep.nonsense


def requirements(text: str) -> dict[str, set[str]]:
    """Requirements of each package, without those for other Python versions."""
    found: dict[str, set[str]] = {}
    for line in text.split("\n"):
        requirement, _, marker = line.partition(";")
        if requirement.strip() and not requirement.startswith(("#", "-")) and "<" not in marker:
            name = re.match(r"[\w-]+", requirement.strip())[0]
            found.setdefault(name, set()).add(requirement.strip())
    return found


def test_requirements_are_those_of_setup_cfg() -> None:
    """The files only leave out: the light one TensorFlow and all that only training and scoring need."""
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    options, extras = setup["options"], setup["options.extras_require"]
    everything = requirements(options["install_requires"])
    light = requirements((ROOT / "requirements-light.txt").read_text())
    newest = requirements((ROOT / "requirements-newest.txt").read_text())
    assert light.items() <= everything.items()
    assert not {"tensorflow", "keras", "musdb", "museval", "tensorboard"} & light.keys()
    assert {**light, **newest}.items() <= {**requirements(extras["test"]), **everything}.items()
    assert light.keys() | newest.keys() >= everything.keys()
