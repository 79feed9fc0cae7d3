"""Models on disk: what is damaged, changed or foreign is refused with what is wrong, as a folder or as a zip file."""

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Run, config_of

from tfwavesep import store
from tfwavesep.backends import open_backend
from tfwavesep.backends.litert import LiteRTBackend
from tfwavesep.errors import ModelError, OutputError
from tfwavesep.places import sha256
from tfwavesep.store.archive import _is_whole, _unpack


@pytest.fixture
def copy(model: Path, tmp_path: Path) -> Path:
    """A copy of the tiny model, to be damaged."""
    return Path(shutil.copytree(model, tmp_path / "copy"))


@pytest.fixture(scope="module")
def archive(run: Run, trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model as a zip file, exported by the command line."""
    path = tmp_path_factory.mktemp("zip") / "tiny.zip"
    result = run("export", trained, "-o", path, "--licence", "CC0")
    assert result.exit_code == 0, result.output
    assert [p.name for p in path.parent.iterdir()] == ["tiny.zip"]
    return path


def flip(path: Path) -> None:
    """Change one byte, keep the size."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_config_vouches_for_every_other_file(model: Path) -> None:
    files = {path for path in model.rglob("*") if path.is_file() and path.name != "config.json"}
    told = config_of(model)["files"]
    assert {model / name for name in told} == files
    for path in files:
        entry = told[path.relative_to(model).as_posix()]
        assert entry == {"bytes": path.stat().st_size, "sha256": sha256(path)}


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ({"model": None}, "'model' must hold an object"),
        ({"context": "x"}, "'context' must be a whole number"),
        ({"block": 0}, "block = 0"),
        (None, "line 1 is not json"),
    ],
)
def test_a_config_that_no_runtime_can_use_is_refused(
    copy: Path, damage: dict[str, object] | None, message: str
) -> None:
    text = "{" if damage is None else json.dumps({**config_of(copy), **damage})
    (copy / "config.json").write_text(text)
    with pytest.raises(ModelError, match=f"is damaged: {message}") as caught:
        store.read(copy)
    assert str(caught.value).count("config.json") == 1


def test_a_model_that_tells_one_context_looks_as_far_ahead(copy: Path) -> None:
    """As all did before networks that look ahead less."""
    about = config_of(copy)
    assert about.pop("lookahead") == about["context"]
    (copy / "config.json").write_text(json.dumps(about))
    assert store.read(copy).config.lookahead == about["context"]
    (copy / "config.json").write_text(json.dumps({**about, "lookahead": 5}))
    assert store.read(copy).config.lookahead == 5


@pytest.mark.parametrize("name", ["model.tflite", "model.keras", "1/saved_model.pb", "1/variables/variables.index"])
def test_a_changed_file_is_refused(copy: Path, name: str) -> None:
    flip(copy / name)
    with pytest.raises(ModelError, match=f"{name}: is damaged or changed .*SHA-256"):
        open_backend(str(copy / name.split("/")[0]))


def test_only_the_form_that_is_opened_is_checked(copy: Path) -> None:
    flip(copy / "model.keras")
    assert type(open_backend(str(copy))) is LiteRTBackend


def test_a_missing_file_is_named(copy: Path) -> None:
    (copy / "1" / "fingerprint.pb").unlink()
    with pytest.raises(ModelError, match=r"1/fingerprint\.pb: is missing"):
        open_backend(str(copy / "1"))


def test_a_file_that_was_not_exported_is_refused(copy: Path) -> None:
    (copy / "1" / "assets").mkdir(exist_ok=True)
    (copy / "1" / "assets" / "foreign").write_text("mine")
    with pytest.raises(ModelError, match="foreign: is not part of the model"):
        open_backend(str(copy / "1"))


def test_a_form_that_was_not_exported_is_refused(copy: Path) -> None:
    about = config_of(copy)
    for files in ({name: told for name, told in about["files"].items() if name != "model.tflite"}, {}):
        (copy / "config.json").write_text(json.dumps({**about, "files": files}))
        with pytest.raises(ModelError, match=r"model\.tflite: is not part of the model"):
            open_backend(str(copy))


FILES: dict[str, tuple[object, str]] = {
    "a list": ([], "'files' must hold an object"),
    "nothing": (None, "'files' must hold an object"),
    "an entry that is no object": ({"model.tflite": "abc"}, "bytes and sha256 of model.tflite"),
    "an entry without its SHA-256": ({"model.tflite": {"bytes": 3}}, "bytes and sha256 of model.tflite"),
    "an entry without its size": ({"model.tflite": {"sha256": "abc"}}, "bytes and sha256 of model.tflite"),
}


@pytest.mark.parametrize("name", FILES)
def test_checksums_that_cannot_be_meant_are_named_in_one_line(copy: Path, name: str) -> None:
    files, reason = FILES[name]
    (copy / "config.json").write_text(json.dumps({**config_of(copy), "files": files}))
    with pytest.raises(ModelError, match=reason) as caught:
        open_backend(str(copy))
    assert str(caught.value).startswith(str(copy / "config.json"))


def test_what_is_not_the_models_own_is_told(copy: Path, archive: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(archive, tmp_path / "tiny.zip"))
    assert store.strangers(copy) == store.strangers(path) == []
    (copy / "1" / "notes").mkdir()
    (copy / "1" / "notes" / "thesis.txt").write_text("mine")
    (copy / "home").symlink_to(tmp_path)
    assert store.strangers(copy) == ["1/notes/thesis.txt", "home"]
    rewrite(path, lambda members: members.update({"photo.jpg": b"mine"}))
    assert store.strangers(path) == ["photo.jpg"]


def test_a_zip_file_opens_like_its_folder(archive: Path) -> None:
    backend = open_backend(str(archive))
    assert type(backend) is LiteRTBackend
    assert backend.config.stems == ("vocals", "drums", "bass")
    assert type(open_backend(str(archive))) is LiteRTBackend  # a second time, from the cache


def test_a_zip_file_may_lack_forms_as_a_folder_may(archive: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(archive, tmp_path / "light.zip"))
    rewrite(path, lambda members: [members.pop(name) for name in list(members) if "/1/" in name or ".keras" in name])
    folder = store.unpack(path)
    assert sorted(entry.name for entry in folder.iterdir()) == ["config.json", "model.tflite"]
    before = folder.stat().st_ino
    assert (store.unpack(path), folder.stat().st_ino) == (folder, before)
    assert type(open_backend(str(path))) is LiteRTBackend


@pytest.mark.parametrize("name", ["model.tflite", "1/fingerprint.pb", "config.json"])
def test_what_was_damaged_in_the_cache_is_unpacked_anew(archive: Path, name: str) -> None:
    folder = store.unpack(archive)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    flip(folder / name)
    (folder / "foreign").write_text("mine")
    assert store.unpack(archive) == folder
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_where_a_zip_file_cannot_be_unpacked_another_place_can_be_named(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("TFWAVESEP_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(OutputError, match=r"cannot be unpacked to .*: Not a directory; set TFWAVESEP_CACHE"):
        store.find_form(str(archive))


def test_two_may_unpack_the_same_zip_file_at_once(archive: Path, tmp_path: Path) -> None:
    for _ in range(2):
        _unpack(archive, tmp_path / "model")
    assert _is_whole(tmp_path / "model", archive)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


@pytest.mark.parametrize("name", ["folder.zip", "missing.zip"])
def test_a_zip_file_that_cannot_be_read_at_all_is_named(name: str, tmp_path: Path) -> None:
    (tmp_path / "folder.zip").mkdir()
    with pytest.raises(ModelError) as caught:
        store.unpack(tmp_path / name)
    assert str(caught.value).startswith(f"{tmp_path / name}: cannot be read: ")


@pytest.mark.parametrize("form", ["", "model.keras"])
def test_a_training_is_not_a_model_yet(trained: Path, form: str) -> None:
    with pytest.raises(ModelError) as caught:
        open_backend(str(trained / form))
    assert str(caught.value) == f"{trained}: is a training, not a model: `tfwavesep export` it first"


def rewrite(archive: Path, change: Callable[[dict[str, bytes]], None]) -> None:
    """Write a zip file anew with other members."""
    with zipfile.ZipFile(archive) as file:
        members = {name: file.read(name) for name in file.namelist()}
    change(members)
    with zipfile.ZipFile(archive, "w") as file:
        for name, data in members.items():
            file.writestr(name, data)


def _config(members: dict[str, bytes], change: Callable[[dict], None]) -> None:
    about = json.loads(members["tiny/config.json"])
    change(about)
    members["tiny/config.json"] = json.dumps(about).encode()


def _other_weights(members: dict[str, bytes]) -> None:
    members["tiny/model.tflite"] = members["tiny/model.tflite"][:-1] + b"!"


def _name_that_leads_out(members: dict[str, bytes]) -> None:
    members["tiny/../../evil"] = b"evil"
    entry = {"bytes": 4, "sha256": "4a1e8e7ec49b8bd5a4a0e9b4b6e5e5d8"}
    _config(members, lambda about: about["files"].update({"../../evil": entry}))


DAMAGES: dict[str, Callable[[dict[str, bytes]], None]] = {
    "SHA-256 of tiny/model.tflite": _other_weights,
    "has not the size": lambda members: members.update({"tiny/model.tflite": b"short"}),
    "no item named": lambda members: members.pop("tiny/1/fingerprint.pb"),
    "0 times config.json": lambda members: members.pop("tiny/config.json"),
    "2 times config.json": lambda members: members.update({"config.json": b"{}"}),
    "leads out": _name_that_leads_out,
    "that its 'files' name": lambda members: _config(members, lambda about: about.pop("files")),
    "is a training": lambda members: _config(members, lambda about: about.update(about["preset"])),
    "'files' must hold": lambda members: _config(members, lambda about: about.update(files=[])),
    "sha256 of model.keras": lambda members: _config(
        members, lambda about: about["files"]["model.keras"].pop("sha256")
    ),
    "'model'": lambda members: _config(members, lambda about: about.pop("model")),
    "sample_rate": lambda members: _config(members, lambda about: about["model"].update(sample_rate=0)),
}


@pytest.mark.parametrize("reason", DAMAGES)
def test_a_damaged_zip_file_is_refused_and_nothing_is_kept(
    archive: Path, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TFWAVESEP_CACHE", str(tmp_path / "cache"))
    path = Path(shutil.copy(archive, tmp_path / "tiny.zip"))
    rewrite(path, DAMAGES[reason])
    with pytest.raises(ModelError, match=reason) as caught:
        open_backend(str(path))
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not [p for p in tmp_path.rglob("*") if p.is_file() and p != path]


def encrypted(archive: Path, path: Path) -> None:
    """Set the flag of every member, before it and in the list at the end."""
    data = bytearray(archive.read_bytes())
    with zipfile.ZipFile(archive) as file:
        for member in file.infolist():
            data[member.header_offset + 6] |= 1
        at = file.start_dir
    while (at := data.find(b"PK\1\2", at)) >= 0:
        data[at + 8] |= 1
        at += 4
    path.write_bytes(data)


def broken(compression: int) -> Callable[[Path, Path], None]:
    """Compress every member in that way, and damage one at its beginning."""

    def write(archive: Path, path: Path) -> None:
        with zipfile.ZipFile(archive) as old, zipfile.ZipFile(path, "w", compression) as new:
            for name in old.namelist():
                new.writestr(name, old.read(name))
            member = new.getinfo("tiny/model.tflite")
        with path.open("r+b") as file:
            file.seek(member.header_offset + 30 + len(member.filename))
            file.write(b"\xff" * 20)

    return write


UNREADABLE = {
    "encrypted": encrypted,
    "deflate": broken(zipfile.ZIP_DEFLATED),
    "bzip2": broken(zipfile.ZIP_BZIP2),
    "lzma": broken(zipfile.ZIP_LZMA),
}


@pytest.mark.parametrize("kind", UNREADABLE)
def test_a_zip_file_that_cannot_be_read_is_refused(archive: Path, kind: str, tmp_path: Path) -> None:
    path = tmp_path / "tiny.zip"
    UNREADABLE[kind](archive, path)
    with pytest.raises(ModelError, match=r"is not the zip file of a model, or is damaged: .* cannot be read") as caught:
        open_backend(str(path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("share", [0, 0.5, 0.99])
def test_a_zip_file_that_ends_early_is_refused(archive: Path, share: float, tmp_path: Path) -> None:
    path = tmp_path / "tiny.zip"
    path.write_bytes(archive.read_bytes()[: int(share * archive.stat().st_size)])
    with pytest.raises(ModelError, match="is not the zip file of a model"):
        open_backend(str(path))


def test_a_zip_file_that_is_there_is_kept_unless_overwritten(
    archive: Path, trained: Path, run: Run, tmp_path: Path
) -> None:
    path = Path(shutil.copy(archive, tmp_path / "tiny.zip"))
    result = run("export", trained, "-o", path)
    assert "--overwrite" in result.output
    assert path.read_bytes() == archive.read_bytes()
    assert run("export", trained, "-o", path, "--overwrite").exit_code == 0
    assert path.read_bytes() != archive.read_bytes()


def test_a_released_name_is_no_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever has that name in the working folder; what is no released name is a path."""
    monkeypatch.chdir(tmp_path)
    for name in ("default", "mine"):
        Path(name).mkdir()
    assert store.locate("default") == store.released()["default"]
    assert [store.locate(name) for name in ("./default", "mine")] == [Path("default"), Path("mine")]


def test_code_in_a_keras_file_is_not_run(copy: Path) -> None:
    """A Lambda layer carries Python code; safe mode refuses to make it."""
    import keras

    inputs = keras.Input((None, 1), name="mixture")
    bad = keras.Model(inputs, keras.layers.Lambda(lambda x: x)(inputs))
    bad.save(copy / "model.keras")
    store.write(copy, config_of(copy))
    with pytest.raises(ModelError, match=r"model\.keras: cannot be loaded"):
        open_backend(str(copy / "model.keras"))
