"""The page as a folder: whole or not at all, with a model in it, told in full to who keeps it; and its server."""

import json
import re
import shutil
import threading
from pathlib import Path
from urllib.request import urlopen

import numpy as np
import pytest
from conftest import Run, as_it_is, config_of

from tfwavesep.errors import ModelError, OutputError, OutputExistsError, SiteError
from tfwavesep.release import fixed, site


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What npm builds, in small."""
    folder = tmp_path / "dist"
    (folder / "wasm").mkdir(parents=True)
    for name in ("index.html", "main.js", "style.css", "offline.js", "wasm/runtime.js", "wasm/runtime.wasm"):
        (folder / name).write_text(f"// {name}")
    monkeypatch.setattr(site, "program", lambda: folder)
    return folder


def head(folder: Path) -> dict:
    """What stands at the head of the program that keeps the site."""
    text = (folder / "offline.js").read_text()
    return json.loads(re.match(r"const SITE = (.*);\n", text)[1])


def test_a_site_is_the_program_and_a_model_of_one_length(program: Path, model: Path, tmp_path: Path) -> None:
    site.write(str(model), tmp_path / "new" / "site")
    folder = tmp_path / "new" / "site"
    about, told = json.loads((folder / "model" / "about.json").read_text()), config_of(model)
    assert (about["description"], about["licence"]) == (told["description"], "CC0")
    assert about["targets"] == ["vocals", "drums", "bass", "other"]
    file = (folder / "model" / "model.tflite").read_bytes()
    lengths = fixed.told(file)
    assert lengths is not None
    assert (about["inputLength"], about["targetLength"]) == (lengths.input_length, lengths.target_length)
    stems = as_it_is(file)(np.zeros((1, about["inputLength"], about["channels"]), np.float32))
    assert stems.shape[2] == about["targetLength"]
    assert (folder / "main.js").read_text() == "// main.js"
    assert [path.name for path in folder.parent.iterdir()] == ["site"]


def test_all_files_are_told_but_the_runtimes(program: Path, model: Path, tmp_path: Path) -> None:
    site.write(str(model), tmp_path / "site")
    kept = [".", "index.html", "main.js", "model/about.json", "model/model.tflite", "style.css"]
    assert head(tmp_path / "site")["files"] == kept
    assert (tmp_path / "site" / "offline.js").read_text().endswith("\n// offline.js")


@pytest.mark.parametrize("changed", ["main.js", "wasm/runtime.wasm", "offline.js"])
def test_the_version_is_that_of_every_file(program: Path, model: Path, tmp_path: Path, changed: str) -> None:
    for name in ("one", "same"):
        site.write(str(model), tmp_path / name)
    (program / changed).write_text("other")
    site.write(str(model), tmp_path / "other")
    one, same, other = (head(tmp_path / name)["version"] for name in ("one", "same", "other"))
    assert one == same != other


def test_what_is_there_is_kept_and_nothing_half_written_is_left(program: Path, model: Path, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    with pytest.raises(OutputExistsError, match="there: exists already"):
        site.write(str(model), tmp_path / "there")
    copy = Path(shutil.copytree(model, tmp_path / "copy"))
    (copy / "model.tflite").write_bytes(b"other")
    with pytest.raises(ModelError, match="damaged or changed"):
        site.write(str(copy), tmp_path / "site")
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OutputError, match="cannot be written"):
        site.write(str(model), tmp_path / "file" / "site")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy", "dist", "file", "there"]


def test_files_are_served_as_what_they_are(program: Path, model: Path, tmp_path: Path) -> None:
    site.write(str(model), tmp_path / "site")
    with site.server(tmp_path / "site", 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://localhost:{server.server_port}/"
        kinds = {name: urlopen(address + name).headers.get_content_type() for name in (
            "", "main.js", "style.css", "wasm/runtime.wasm", "model/about.json", "model/model.tflite",
        )}  # fmt: skip
        server.shutdown()
    assert list(kinds.values()) == [
        "text/html", "text/javascript", "text/css", "application/wasm", "application/json", "application/octet-stream",
    ]  # fmt: skip


def test_a_port_that_is_taken_is_named(program: Path, model: Path, run: Run, tmp_path: Path) -> None:
    with site.server(tmp_path, 0) as server:
        result = run("web", "-m", model, "--port", server.server_port)
    assert result.exit_code == 1
    assert f"port {server.server_port} cannot be listened on" in result.output


def test_command_writes_a_site(program: Path, model: Path, run: Run, tmp_path: Path) -> None:
    result = run("web", "-m", model, "-o", tmp_path / "site")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "site" / "model" / "model.tflite").is_file()


def test_command_says_how_the_page_is_built(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site.resources, "files", lambda name: tmp_path)
    with pytest.raises(SiteError, match="npm ci && npm run build"):
        site.program()
    result = run("web", "-o", tmp_path / "site")
    assert result.exit_code == 1
    assert "the page is not built" in result.output
