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
    "system",
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


SETUP = configparser.ConfigParser()
SETUP.read(ROOT / "setup.cfg")
EXTRAS = SETUP["options.extras_require"]


def requirements(text: str) -> set[str]:
    """Requirements, without those for other Python versions than the newest."""
    lines = (line.partition(";") for line in text.splitlines() if not line.startswith("#"))
    return {requirement.strip() for requirement, _, marker in lines if requirement.strip() and "<" not in marker}


def test_separating_installs_no_tensorflow() -> None:
    alone = {re.split("[<>=]", line)[0] for line in requirements(SETUP["options"]["install_requires"])}
    assert not alone & {"tensorflow", "keras", "musdb", "museval", "tensorboard"}
    assert any(line.startswith("tensorflow>") for line in requirements(EXTRAS["train"]))


def test_the_demo_needs_no_more_than_is_installed_with_it(tmp_path: Path) -> None:
    """Packages of an extra, and what they bring along, cannot be imported here."""
    song, others = (
        ROOT / "examples" / "demo_song",
        "tensorflow keras musdb museval scipy pandas yaml matplotlib ray fsspec",
    )
    command = ["separate", str(song / "mixture.flac"), "-o", str(tmp_path), "--references", str(song)]
    code = (
        f"import sys\nsys.modules.update(dict.fromkeys({others.split()}))\nsys.argv[1:] = {command}\n"
        "from tfwavesep_cli.main import main\nmain()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "vocals         SDR" in done.stdout


def test_the_licence_of_the_weights_that_default_began_with_goes_where_they_go() -> None:
    """Into the package, and onto the page."""
    assert "Copyright (c) 2019-present, Deezer SA." in (ROOT / "saved_models" / "LICENSE.spleeter").read_text()
    assert "LICENSE.spleeter" in SETUP["options.package_data"]["tfwavesep_saved_models"].split()
    assert "../saved_models/LICENSE.spleeter" in (ROOT / "web" / "build.mjs").read_text()


def test_the_tests_take_every_extra() -> None:
    (own,) = [line for line in requirements(EXTRAS["test"]) if line.startswith("tfwavesep")]
    assert own == f"tfwavesep[{','.join(sorted(set(EXTRAS) - {'test'}))}]"


def test_the_newest_tensorflow_is_installed_as_on_the_newest_python() -> None:
    newest = requirements((ROOT / "requirements-newest.txt").read_text())
    assert requirements(EXTRAS["train"]) <= newest
    assert newest <= set().union(*map(requirements, EXTRAS.values()))


def test_extras_that_are_named_anywhere_are_there() -> None:
    texts = [*LIBRARY, *(ROOT / "cli").rglob("*.py"), *ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
    named = {
        extra
        for path in texts
        for several in re.findall(r"(?:tfwavesep|\.)\[([a-z,]+)\]", path.read_text())
        for extra in several.split(",")
    }
    assert named <= set(EXTRAS)
    assert set(re.findall(r'with needs_extra\("(\w+)"', "".join(path.read_text() for path in texts))) <= set(EXTRAS)
