"""What a network costs, read off its graph."""

import math

import keras
import tensorflow as tf

CONVOLUTIONS = {"Conv2D"}
PRODUCTS = {"MatMul", "BatchMatMulV2"}


def multiply_accumulates(network: keras.Model, length: int) -> int:
    """Multiplications with an addition that one run takes.

    Counted are the products within every convolution and matrix product of the traced graph, whatever layer it comes
    from, Fourier transforms written as matrix products among them. Not counted: biases, activations, masks, and
    whatever else takes one operation per value.

    Args:
        network: `mixture (batch, time, channels)` to `stems`.
        length: samples that go in, context included.

    Raises:
        ValueError: the graph holds a product of a kind not known here, or one whose size is not fixed.
    """
    mixture = tf.TensorSpec((1, length, network.inputs[0].shape[2]), tf.float32)
    traced = tf.function(lambda x: network(x, training=False), autograph=False).get_concrete_function(mixture)
    return sum(_products(operation) for operation in _operations(traced.graph))


def _operations(graph: tf.Graph) -> list[tf.Operation]:
    functions = [f.graph for f in graph._functions.values() if hasattr(f, "graph")]
    return [op for g in (graph, *functions) for op in g.get_operations()]


def _products(operation: tf.Operation) -> int:
    if operation.type in CONVOLUTIONS:
        *window, features, _ = operation.inputs[1].shape
        return _size(operation) * math.prod(window) * features
    if operation.type in PRODUCTS:
        transposed = operation.get_attr("transpose_a" if operation.type == "MatMul" else "adj_x")
        return _size(operation) * operation.inputs[0].shape[-2 if transposed else -1]
    if "Conv" in operation.type or "MatMul" in operation.type or operation.type == "Einsum":
        raise ValueError(f"{operation.name}: a product of the kind {operation.type} is not counted yet")
    return 0


def _size(operation: tf.Operation) -> int:
    shape = operation.outputs[0].shape
    if not shape.is_fully_defined():
        raise ValueError(f"{operation.name}: has no fixed size, {shape}")
    return math.prod(shape)


def receptive_field(network: keras.Model, length: int) -> int:
    """Samples that one sample of output can depend on: those that go in, less those that come out, and one.

    Args:
        network: `mixture (batch, time, channels)` to `stems (batch, stems, time, channels)`.
        length: samples that go in; any that the network can take.
    """
    mixture = tf.zeros((1, length, network.inputs[0].shape[2]))
    return int(length - network(mixture, training=False).shape[2] + 1)
