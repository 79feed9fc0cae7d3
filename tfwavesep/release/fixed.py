"""A `.tflite` of one fixed length, for runtimes that resize nothing: browsers, microcontrollers, benchmark tools.

A network of any length computes shapes while it runs. Where the length is fixed these are constants: what works them
out is left out, and the file holds what came of it. Stems are the same bit for bit. Neither TensorFlow nor music is
needed.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from tfwavesep import store
from tfwavesep.errors import ModelError, OutputExistsError, require
from tfwavesep.places import atomic, disk_errors
from tfwavesep.separation import segment_length
from tfwavesep.store import TFLITE, StoredConfig

ALIGNMENT = 16
"""Bytes: constants begin at multiples of it, as the format asks for."""

METADATA = "tfwavesep"
"""The name under which a file tells its lengths, as JSON; see `told`."""

MOST_SECONDS = 60.0
"""Of audio that one run yields: what it takes in memory grows with it."""

SHAPES = (schema.TensorType.INT32, schema.TensorType.INT64, schema.TensorType.BOOL)
"""The types of shape arithmetic. What is computed of constants in others, such as float32 weights of float16 ones, is
left: it would make the file larger."""


@dataclass(frozen=True)
class Lengths:
    """What one run of a file takes and yields.

    Attributes:
        sample_rate: Hz.
        context: samples of real input needed before what is yielded.
        lookahead: samples of real input needed after it.
        block: samples; what is yielded is a multiple of it.
        input_length: samples that are taken.
        target_length: samples that are yielded.
    """

    sample_rate: int
    context: int
    lookahead: int
    block: int
    input_length: int
    target_length: int

    @classmethod
    def of(cls, config: StoredConfig, seconds: float | None = None) -> "Lengths":
        """Those of a network that is to yield so many seconds, as nearly as its blocks allow; None for a fitting
        length, the one that `Separator` takes.

        Raises:
            ConfigError: it is not a length that one run can yield.
        """
        if seconds is not None:
            require(0 < seconds <= MOST_SECONDS, "fixed", seconds, f"above 0 and at most {MOST_SECONDS:.0f} seconds")
        length = segment_length(config, seconds)
        sides = (config.context, config.lookahead)
        return cls(config.sample_rate, *sides, config.block, config.input_length(length), length)

    def __str__(self) -> str:
        takes, yields = (length / self.sample_rate for length in (self.input_length, self.target_length))
        return f"{takes:.2f} s in, {yields:.2f} s out ({self.input_length} and {self.target_length} samples)"


def export_fixed(model: str, path: Path, seconds: float, overwrite: bool = False) -> Lengths:
    """Write the `.tflite` of a model with one fixed length.

    Args:
        model: a released model's name, or a model folder or a zip file of one.
        path: of the file.
        seconds: of audio that one run is to yield; the nearest number of the network's blocks is taken.
        overwrite: whether a file that is there may be replaced.

    Returns:
        the lengths that it has.

    Raises:
        ConfigError: the network cannot yield this length.
        ModelError: there is no such model, its `model.tflite` is missing or damaged, or has no such form.
        OutputError: the file cannot be written.
        OutputExistsError: it is there already.
    """
    _check_place(path, overwrite)
    tflite, config = read(model)
    lengths = Lengths.of(config, seconds)
    fixed = fix(tflite, config, lengths)
    _check_place(path, overwrite)
    with atomic(path) as temporary, disk_errors(path):
        temporary.write_bytes(fixed)
    return lengths


def _check_place(path: Path, overwrite: bool) -> None:
    if path.exists() and not overwrite:
        raise OutputExistsError(f"{path}: exists already; --overwrite replaces it, or choose another name")


def read(model: str) -> tuple[bytes, StoredConfig]:
    """The `model.tflite` of a model, and what it separates.

    Args:
        model: as for `export_fixed`.

    Raises:
        ModelError: there is no such model, or its `model.tflite` is missing or damaged.
    """
    stored = store.read(store.find_form(model).parent)
    path = stored.folder / TFLITE
    if not path.is_file():
        raise ModelError(f"{model}: has no {TFLITE}; export it again")
    store.verify(stored, path)
    return path.read_bytes(), stored.config


def fix(tflite: bytes, config: StoredConfig, lengths: Lengths) -> bytes:
    """The form of a `.tflite` that takes one segment of one length.

    Args:
        tflite: with the signature `serving_default(mixture) -> stems`, of any length and batch; what else it has is
            left out.
        config: what it separates.
        lengths: that it is to have.

    Returns:
        a `.tflite` from `mixture (1, input_length, channels)` to `stems (1, stems, target_length, channels)`.

    Raises:
        ModelError: it is no model of this package, or has control flow.
    """
    model = _parse(tflite)
    _leave_only_serving(model)
    if len(model.subgraphs) != 1:
        raise ModelError("a network with control flow (loops, branches) has no form of one fixed length")
    (graph,) = model.subgraphs
    shapes, values = _trace(model, (1, lengths.input_length, config.channels))
    known = _known(model, values)
    graph.operators = [each for each in graph.operators if not known.keys() >= set(each.outputs)]
    for index, value in known.items():
        graph.tensors[index].buffer = _append(model, value.tobytes())
    for tensor, size in zip(graph.tensors, shapes, strict=True):
        tensor.shape, tensor.shapeSignature = list(size), None
    _drop_unused(model)
    _tell(model, lengths)
    return _pack(model)


def with_default_length(tflite: bytes, config: StoredConfig) -> bytes:
    """A `.tflite` of any length that runs as it is, too: by default on one segment of a fitting length.

    Args:
        tflite: as for `fix`.
        config: what it separates.
    """
    lengths = Lengths.of(config)
    model = _parse(tflite)
    graph = model.subgraphs[_serving(model).subgraphIndex]
    taken, given = graph.tensors[graph.inputs[0]], graph.tensors[graph.outputs[0]]
    taken.shape = [1, lengths.input_length, config.channels]
    given.shape = [1, len(config.stems), lengths.target_length, config.channels]
    _tell(model, lengths)
    return _pack(model)


def told(tflite: bytes) -> Lengths | None:
    """What a file tells of its lengths, those of one run of it as it is; None if it tells nothing.

    Raises:
        ModelError: it is damaged, or not a TFLite model.
    """
    model = _parse(tflite)
    for each in model.metadata or []:
        if each.name == METADATA.encode():
            lengths = json.loads(bytes(model.buffers[each.buffer].data))
            return Lengths(**{"lookahead": lengths["context"], **lengths})  # once told as one number
    return None


def _parse(tflite: bytes) -> Any:
    """The file as the objects of its schema. Constants that are kept behind the model, by offset and size, as in large
    files, are taken into it."""
    try:
        model = schema.ModelT.InitFromPackedBuf(tflite, 0)
        for buffer in model.buffers:
            if buffer.offset > 1:
                buffer.data = np.frombuffer(tflite, np.uint8, buffer.size, buffer.offset)
            buffer.offset = buffer.size = 0
    except Exception as error:  # whatever reading a number from the wrong place leads to
        raise ModelError("it is damaged or not a TFLite model") from error
    names = {
        (each.signatureKey, *(tuple(t.name for t in tensors) for tensors in (each.inputs, each.outputs)))
        for each in model.signatureDefs or []
    }
    if (b"serving_default", (b"mixture",), (b"stems",)) not in names:
        raise ModelError("it is not a TFLite model of this package: no serving_default(mixture) -> stems")
    return model


def _serving(model: Any) -> Any:
    """The signature that takes one segment."""
    return next(each for each in model.signatureDefs if each.signatureKey == b"serving_default")


def _leave_only_serving(model: Any) -> None:
    """Leave out other signatures and their graphs."""
    serving = _serving(model)
    others = {each.subgraphIndex for each in model.signatureDefs if each is not serving}
    graph = model.subgraphs[serving.subgraphIndex]
    model.subgraphs = [each for number, each in enumerate(model.subgraphs) if number not in others]
    model.signatureDefs, serving.subgraphIndex = [serving], model.subgraphs.index(graph)


def _trace(model: Any, shape: tuple[int, ...]) -> tuple[list[tuple[int, ...]], dict[int, np.ndarray]]:
    """Run the network on noise, with all that may hold shapes among its outputs: so they are kept.

    Returns:
        the shape of every tensor; and by its index the value of each that may hold shapes.
    """
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    (graph,) = model.subgraphs
    kept = [index for each in graph.operators for index in each.outputs if graph.tensors[index].type in SHAPES]
    own, graph.outputs = graph.outputs, [*graph.outputs, *kept]
    interpreter = Interpreter(
        model_content=_pack(model),
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,  # they leave out tensors
    )
    graph.outputs = own
    interpreter.resize_tensor_input(graph.inputs[0], shape, strict=True)
    interpreter.allocate_tensors()
    noise = np.random.default_rng(0).standard_normal(shape)
    interpreter.set_tensor(graph.inputs[0], (0.1 * noise).astype(np.float32))
    interpreter.invoke()
    shapes = {each["index"]: tuple(map(int, each["shape"])) for each in interpreter.get_tensor_details()}
    return [shapes[index] for index in range(len(graph.tensors))], {i: interpreter.get_tensor(i) for i in kept}


def _known(model: Any, values: dict[int, np.ndarray]) -> dict[int, np.ndarray]:
    """By their index the values of the tensors that depend on the mixture's length alone."""
    (graph,) = model.subgraphs
    constant = {index for index, each in enumerate(graph.tensors) if model.buffers[each.buffer].data is not None}
    known: dict[int, np.ndarray] = {}
    for operator in graph.operators:  # in the order of execution
        kind = model.operatorCodes[operator.opcodeIndex].builtinCode
        given = {index for index in operator.inputs if index >= 0}
        outputs = set(operator.outputs)
        if (kind == schema.BuiltinOperator.SHAPE or given <= constant | known.keys()) and outputs <= values.keys():
            known |= {index: values[index] for index in outputs}
    return known


def _append(model: Any, data: bytes) -> int:
    """A new buffer, by its index."""
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(data, np.uint8)
    model.buffers.append(buffer)
    return len(model.buffers) - 1


def _drop_unused(model: Any) -> None:
    """Leave out tensors that no operation reads or writes, then kinds of operations and buffers that nothing needs."""
    (graph,) = model.subgraphs
    used = sorted({index for places in _tensor_places(model) for index in places if index >= 0})
    new = {old: index for index, old in enumerate(used)} | {-1: -1}
    for places in _tensor_places(model):
        places[:] = [new[index] for index in places]
    for each in (each for key in model.signatureDefs for each in (*key.inputs, *key.outputs)):
        each.tensorIndex = new[each.tensorIndex]
    graph.tensors = [graph.tensors[index] for index in used]
    _renumber(model, "operatorCodes", graph.operators, "opcodeIndex", set())
    _renumber(model, "buffers", [*graph.tensors, *(model.metadata or [])], "buffer", {0})


def _tensor_places(model: Any) -> Iterator[Any]:
    """The lists that name tensors by their indices."""
    (graph,) = model.subgraphs
    graph.inputs, graph.outputs = list(graph.inputs), list(graph.outputs)
    yield from (graph.inputs, graph.outputs)
    for operator in graph.operators:
        operator.inputs, operator.outputs = list(operator.inputs), list(operator.outputs)
        yield from (operator.inputs, operator.outputs)


def _renumber(model: Any, table: str, users: list[Any], field: str, always: set[int]) -> None:
    """Leave out the rows of a table that no user's field names."""
    rows = getattr(model, table)
    used = sorted({getattr(user, field) for user in users} | always)
    setattr(model, table, [rows[index] for index in used])
    for user in users:
        setattr(user, field, used.index(getattr(user, field)))


def _tell(model: Any, lengths: Lengths) -> None:
    """Write into the file what `told` reads."""
    metadata = schema.MetadataT()
    metadata.name, metadata.buffer = METADATA, _append(model, json.dumps(asdict(lengths)).encode())
    others = [each for each in model.metadata or [] if each.name != METADATA.encode()]
    model.metadata = [*others, metadata]
    model.metadataBuffer = None


class _Builder(flatbuffers.Builder):
    """Its vectors of bytes are aligned as the format asks for, which Python's generated code does not do."""

    def CreateNumpyVector(self, x: np.ndarray) -> Any:  # noqa: N802
        if x.dtype != np.uint8:
            return super().CreateNumpyVector(x)
        self.StartVector(1, len(x), ALIGNMENT)
        self.head -= len(x)
        self.Bytes[self.head : self.head + len(x)] = x.tobytes()
        return self.EndVector()


def _pack(model: Any) -> bytes:
    builder = _Builder(1 << 20)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())
