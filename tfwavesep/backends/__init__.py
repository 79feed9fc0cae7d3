"""Runtimes for a trained model, all behind one seam: one file each.

Which one is opened follows from the form of the path or URL, never from trying. What a runtime needs is imported
when it is opened: a `.tflite` model runs without TensorFlow.
"""

import os
from pathlib import Path

from tfwavesep import store
from tfwavesep.backends._backend import Backend
from tfwavesep.backends._served import window
from tfwavesep.errors import ModelError, needs_extra, one_of
from tfwavesep.places import Place

__all__ = ["Backend", "open_backend", "open_form", "window"]


def open_backend(model: Place) -> Backend:
    """A runtime for a model.

    Args:
        model: the name of a released model; the path of a model folder, of a zip file of one, or of one of the forms in
            it (see `store.find_form`); or the URL of a model on TensorFlow Serving, `grpc://HOST:PORT/NAME` or
            `http://HOST:PORT/v1/models/NAME`.

    Raises:
        ModelError: it is not there, damaged, or none of these forms; or the server does not answer.
        ExtraError: the extra that it needs is not installed.
    """
    model = os.fspath(model)
    if store.is_url(model):
        return _open_url(model)
    path = store.find_form(model)
    stored = store.read(path.parent)
    store.verify(stored, path)
    return open_form(path, stored.config)


def open_form(path: Path, config: store.StoredConfig) -> Backend:
    """A runtime for one form of a model.

    Raises:
        ModelError: it is damaged, or no form of a model.
        ExtraError: it is not a `.tflite`, and the extra `train` is not installed.
    """
    if path.suffix == ".tflite":
        from tfwavesep.backends.litert import LiteRTBackend

        return LiteRTBackend(path, config)
    if path.suffix == ".keras":
        with needs_extra("train", path):
            from tfwavesep.backends.keras_file import KerasBackend

            return KerasBackend(path, config)
    if (path / "saved_model.pb").is_file():
        with needs_extra("train", path):
            from tfwavesep.backends.saved_model import SavedModelBackend

            return SavedModelBackend(path, config)
    raise ModelError(f"{path}: must be a model folder, a .zip of one, a .tflite, a .keras or a SavedModel folder")


def _open_url(url: str) -> Backend:
    scheme = url.partition("://")[0]
    if scheme == "grpc":
        from tfwavesep.backends.served_grpc import GrpcBackend

        return GrpcBackend(url)
    if scheme in ("http", "https"):
        from tfwavesep.backends.served_rest import RestBackend

        return RestBackend(url.rstrip("/"))
    raise ModelError(one_of("kind of URL", scheme, ("grpc", "http", "https")))
