"""TFLite models with smaller weights, and with integer arithmetic where that does no harm.

Made from the float32 `.tflite` by ai-edge-quantizer; batch and time stay free and all ops native.

Reference:
    Jacob et al. 2018, "Quantization and training of neural networks for efficient integer-arithmetic-only inference"
    (arXiv 1712.05877), sections 2 and 3, for int8 with ranges from calibration. Ours leaves in float what follows the
    loudness of the music; see `FORMS`.
"""

import re
import struct
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tfwavesep.errors import ConfigError, ModelError, one_of
from tfwavesep.hush import hushed

if TYPE_CHECKING:
    from ai_edge_quantizer.quantizer import Quantizer

FORMS = {
    "none": "float32",
    "float16": "weights in float16, computed in float32",
    "int8-weights": "weights in int8, one scale per filter, computed in float32",
    "dynamic": "weights in int8, computed in int8 with ranges taken from each segment as it comes: what comes out "
    "depends on where segments begin",
    "int8": "weights in int8, computed in int8 with ranges from calibration on music; in float32 where the range "
    "follows the loudness, so that quiet music keeps its quality",
}
"""The forms of a `.tflite`, each in words."""

QUIET = 0.1
"""Gain, -20 dB, at which calibration looks a second time."""

STEADY = (0.3, 3.0)
"""A tensor does not follow the loudness if its range changes by a factor within these limits when the mixture's does
by `QUIET`. One that is proportional to the mixture changes by 0.1, one behind a normalisation by nearly 1; one behind a
logarithm may grow, and is given a range that holds both."""

FOURIER = r"(^|[/;])(inverse_)?stft(_\d+)?/"
"""Operations of Fourier transforms, by the names of their outputs. Their small matrices stay exact: rounded, they would
let what is loud in one bin leak into the quiet ones."""

ENDS = r"(^|[/;])(levels|decoder|shares|masking|voice_left)(_\d+)?/"
"""Operations between a Fourier transform and a network, and the network and the inverse: in int8 they would be no
faster, but numbers would have to be moved there and back, several times."""

WEIGHTED_OPS = ("CONV_2D", "CONV_2D_TRANSPOSE", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")


def check_form(form: str, music: bool) -> None:
    """Refuse what cannot be made.

    Args:
        form: what is asked for.
        music: whether there is any to calibrate on.

    Raises:
        ConfigError: it is not one of `FORMS`, of which the nearest is named; or int8 has no music.
    """
    if form not in FORMS:
        raise ConfigError(one_of("quantisation", form, FORMS))
    if form == "int8" and not music:
        raise ConfigError("int8 takes its ranges from real music: name a data root with --data or MUSDB_PATH")


def quantize(tflite: bytes, form: str, mixtures: Sequence[np.ndarray] = ()) -> bytes:
    """A quantised form of a float32 `.tflite`.

    Args:
        tflite: with the signature `serving_default(mixture) -> stems`.
        form: one of `FORMS`.
        mixtures: real music for "int8" to take ranges from, each float32 `(1, input_length, channels)`.

    Raises:
        ConfigError: there is no such form, or int8 has no music.
        ModelError: the network has an operation that cannot be quantised so.
    """
    check_form(form, bool(mixtures))
    if form == "none":
        return tflite
    from ai_edge_quantizer.quantizer import Quantizer

    try:
        with hushed():
            return _quantize(Quantizer(bytearray(tflite)), tflite, form, mixtures)
    except (ValueError, RuntimeError, LookupError, NotImplementedError, struct.error) as error:
        raise ModelError(f"this network cannot be written as {form}: {' '.join(str(error).split())}") from error


def _quantize(quantizer: "Quantizer", tflite: bytes, form: str, mixtures: Sequence[np.ndarray]) -> bytes:
    from ai_edge_quantizer import recipe

    ranges = None
    if form == "float16":
        quantizer.update_quantization_recipe(".*", "*", _float16(), "float_casting")
    elif form == "int8-weights":
        quantizer.load_quantization_recipe(recipe.weight_only_wi8_afp32())
    elif form == "dynamic":
        quantizer.load_quantization_recipe(recipe.dynamic_wi8_afp32())
    else:
        quantizer.load_quantization_recipe(recipe.static_wi8_ai8())
        ranges = _calibrate(quantizer, mixtures)
        quiet = _calibrate(quantizer, [np.float32(QUIET) * mixture for mixture in mixtures])
        _keep_float(quantizer, _following_loudness(tflite, ranges, quiet))
        ranges = {name: _both(values, quiet[name]) for name, values in ranges.items()}
        quantizer.update_quantization_recipe(ENDS, "*", None, "no_quantize")
        for names in (".*", ENDS):  # LiteRT's integer product of batches is wrong with constant matrices
            quantizer.add_weight_only_config(names, "BATCH_MATMUL", 8)
    quantizer.update_quantization_recipe(FOURIER, "*", None, "no_quantize")
    return bytes(quantizer.quantize(ranges).quantized_model)


def _float16() -> Any:
    from ai_edge_quantizer.qtyping import (
        ComputePrecision,
        OpQuantizationConfig,
        TensorDataType,
        TensorQuantizationConfig,
    )

    weights = TensorQuantizationConfig(num_bits=16, dtype=TensorDataType.FLOAT)
    return OpQuantizationConfig(
        weight_tensor_config=weights, compute_precision=ComputePrecision.FLOAT, explicit_dequantize=True
    )


def _calibrate(quantizer: "Quantizer", mixtures: Sequence[np.ndarray]) -> dict[str, Any]:
    """The least and the greatest value of every tensor over the mixtures, by the tensor's name."""
    return dict(quantizer.calibrate({"serving_default": [{"mixture": mixture} for mixture in mixtures]}))


def _following_loudness(tflite: bytes, loud: dict[str, Any], quiet: dict[str, Any]) -> list[str]:
    """Outputs of the operations that read or write a tensor whose range follows the loudness of the mixture.

    Eight bits hold one loudness well: with a fixed range, music 20 dB below it would be left with four of them.
    """
    from ai_edge_litert.interpreter import Interpreter

    following = {name for name in loud.keys() & quiet.keys() if not _steady(loud[name], quiet[name])}
    interpreter = Interpreter(model_content=tflite)
    names = {tensor["index"]: tensor["name"] for tensor in interpreter.get_tensor_details()}
    return [
        names[op["outputs"][0]]
        for op in interpreter._get_ops_details()
        if op["op_name"] != "DELEGATE"
        and any(names.get(index) in following for index in (*op["inputs"], *op["outputs"]))
    ]


def _steady(loud: dict[str, Any], quiet: dict[str, Any]) -> bool:
    least, most = STEADY
    return least * _range(loud) <= _range(quiet) <= most * _range(loud)


def _both(values: dict[str, Any], others: dict[str, Any]) -> dict[str, Any]:
    """The range that holds two."""
    if "min" not in values:
        return values
    least, most = np.minimum(values["min"], others["min"]), np.maximum(values["max"], others["max"])
    return {**values, "min": least, "max": most}


def _range(values: dict[str, Any]) -> float:
    return float(max(np.abs(values["min"]).max(), np.abs(values["max"]).max())) if "min" in values else 0.0


def _keep_float(quantizer: "Quantizer", outputs: list[str]) -> None:
    """Let these operations, the input and the output be float32; their weights are int8 all the same."""
    for name in ("INPUT", "OUTPUT"):
        quantizer.update_quantization_recipe(".*", name, None, "no_quantize")
    if outputs:
        these = f"(^|;)({'|'.join(map(re.escape, outputs))});"  # an operation is known by all of its outputs
        quantizer.update_quantization_recipe(these, "*", None, "no_quantize")
        for name in WEIGHTED_OPS:
            quantizer.add_weight_only_config(these, name, 8)
