"""The page that separates songs in a browser: a folder of files, with a model, for any web server; and a server on this
machine. `web/` holds the page's program, which npm builds."""

import hashlib
import json
import shutil
import sys
import tempfile
from contextlib import suppress
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from pathlib import Path
from typing import Any

from tfwavesep import store
from tfwavesep.errors import OutputError, OutputExistsError, SiteError
from tfwavesep.places import disk_errors
from tfwavesep.release import fixed

BUILD = "cd web && npm ci && npm run build"
"""What builds the program, in a copy of this package's source."""

HOST = "127.0.0.1"

OFFLINE = "offline.js"
"""The program that keeps the site for use without a network; which files there are, and in which version, is written at
its head."""

RUNTIME = "wasm"
"""The folder of the programs that run the network, one for each kind of browser; only one of them is kept."""


def program() -> Path:
    """The folder of the page's program, as npm built it.

    Raises:
        SiteError: it is not built.
    """
    with suppress(ModuleNotFoundError):
        folder = Path(str(resources.files("tfwavesep_web"))) / "dist"
        if (folder / OFFLINE).is_file():
            return folder
    raise SiteError(f"the page is not built: `{BUILD}` in a copy of the source does it (it needs Node.js)")


def write(model: str, folder: Path) -> None:
    """Write the page with a model to a new folder, whole or not at all.

    Args:
        model: a released model's name, or a model folder or a zip file of one.
        folder: what any web server can serve as it is.

    Raises:
        ModelError: there is no such model, or it has no form of one fixed length.
        OutputError: the folder cannot be written.
        OutputExistsError: it is there already.
        SiteError: the page is not built.
    """
    if folder.exists():
        raise OutputExistsError(f"{folder}: exists already; choose another name")
    built = program()
    tflite, config = fixed.read(model)
    lengths = fixed.Lengths.of(config)
    file = fixed.fix(tflite, config, lengths)
    with disk_errors(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as name:
            beside = Path(name) / "site"
            shutil.copytree(built, beside)
            (beside / "model").mkdir()
            (beside / "model" / store.TFLITE).write_bytes(file)
            about = _about(store.read(store.find_form(model).parent), lengths, len(file))
            (beside / "model" / "about.json").write_text(json.dumps(about))
            _tell_files(beside)
            beside.rename(folder)


def _about(model: store.StoredModel, lengths: fixed.Lengths, size: int) -> dict[str, Any]:
    """What the page needs to know of its model."""
    return {
        "name": model.folder.name,
        "description": model.about.get("description", ""),
        "licence": model.about.get("licence", "not stated"),
        "bytes": size,
        "channels": model.config.channels,
        "targets": model.config.targets,
        "sampleRate": lengths.sample_rate,
        "context": lengths.context,
        "lookahead": lengths.lookahead,
        "inputLength": lengths.input_length,
        "targetLength": lengths.target_length,
    }


def _tell_files(site: Path) -> None:
    """Write at the head of `OFFLINE` which files are to be kept, and a name for them as they are."""
    files = sorted(path for path in site.rglob("*") if path.is_file())
    names = [path.relative_to(site).as_posix() for path in files]
    version = hashlib.sha256()
    for name, path in zip(names, files, strict=True):
        version.update(f"{name}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    kept = [".", *(name for name in names if name != OFFLINE and not name.startswith(f"{RUNTIME}/"))]
    head = json.dumps({"version": version.hexdigest()[:16], "files": kept})
    script = site / OFFLINE
    script.write_text(f"const SITE = {head};\n{script.read_text()}")


class _Handler(SimpleHTTPRequestHandler):
    """Files with the kinds that browsers insist on, whatever this machine's tables say; and silence."""

    extensions_map = {  # noqa: RUF012
        **SimpleHTTPRequestHandler.extensions_map,
        ".css": "text/css",
        ".html": "text/html",
        ".js": "text/javascript",
        ".json": "application/json",
        ".svg": "image/svg+xml",
        ".tflite": "application/octet-stream",
        ".txt": "text/plain; charset=utf-8",
        ".wasm": "application/wasm",
        ".webmanifest": "application/manifest+json",
    }

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


class _Server(ThreadingHTTPServer):
    """Browsers hang up when a page is left; that is no error."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


def server(folder: Path, port: int) -> ThreadingHTTPServer:
    """A server for a site, for this machine alone; `serve_forever` runs it.

    Args:
        folder: that `write` wrote.
        port: to listen on; 0 for any that is free.

    Raises:
        OutputError: it is taken, or not allowed.
    """
    try:
        return _Server((HOST, port), partial(_Handler, directory=str(folder)))
    except (OSError, OverflowError) as error:
        raise OutputError(f"port {port} cannot be listened on: {error}; choose another with --port") from error
