"""The layout: imports go one way, everything is packaged, the command line starts fast."""

import ast
import configparser
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

LAYERS = [
    {"errors"},
    {"stems", "urls", "wavfile", "ogg", "hush", "plain"},
    {"files"},
    {"decoding", "encoding", "chunking", "layers"},
    {"audio", "stft"},
    {"_stempeg", "models"},
    {"losses", "config", "tracks"},
    {"cache", "store"},
    {"data", "backends", "hosts", "runs"},
    {"callbacks", "streaming", "metrics", "quantization", "signatures", "trained"},
    {"training", "separator", "levels", "catalogue", "scores"},
    {"fidelity", "stemfiles", "check", "plot"},
    {"jobs"},
    {"manifest", "pipes", "parts"},
    {"planning"},
    {"batch"},
    {"cluster"},
    {"export", "evaluation"},
]
"""Modules may import from earlier sets only."""


def imports(path: Path) -> set[str]:
    """The modules of this package that a file imports, at any depth."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module] + [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        found |= {name.split(".")[1] for name in names if name.startswith("tfwavesep.")}
    return found & {module for layer in LAYERS for module in layer}


@pytest.mark.parametrize("path", sorted((ROOT / "tfwavesep").rglob("*.py")), ids=lambda p: p.name)
def test_imports_go_one_way(path: Path) -> None:
    module = path.relative_to(ROOT / "tfwavesep").parts[0].removesuffix(".py")
    if module == "__init__":
        return
    (level,) = [i for i, layer in enumerate(LAYERS) if module in layer]
    allowed = {name for layer in LAYERS[:level] for name in layer} | {module}
    assert imports(path) <= allowed


def private(path: Path) -> set[str]:
    """The private names of this package, as `package.module._name`, that a file uses."""
    tree = ast.parse(path.read_text())
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    found = set(names.values()) | {
        f"{names.get(node.value.id)}.{node.attr}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
    }
    return {name for name in found if name.startswith("tfwavesep.") and re.search(r"\._(?!_)", name)}


@pytest.mark.parametrize(
    "path", [p for folder in ("tfwavesep", "cli", "benchmarks") for p in sorted((ROOT / folder).rglob("*.py"))],
    ids=lambda p: str(p.relative_to(ROOT)),
)  # fmt: skip
def test_what_is_private_stays_within_its_package(path: Path) -> None:
    package = ".".join(path.relative_to(ROOT).parent.parts)
    assert {name for name in private(path) if package != name.split("._")[0]} == set()


def test_library_does_not_know_the_command_line() -> None:
    assert not [p for p in (ROOT / "tfwavesep").rglob("*.py") if "tfwavesep_cli" in p.read_text()]


def test_every_package_is_listed() -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    listed = set(setup["options"]["packages"].split())
    folders = {".".join(p.parent.relative_to(ROOT).parts) for p in (ROOT / "tfwavesep").rglob("__init__.py")}
    assert listed == folders | {"tfwavesep_cli", "tfwavesep_saved_models"}


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
