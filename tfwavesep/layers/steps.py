"""A network step by step: the next samples in, as many out, and every sample computed once.

A network of valid convolutions puts out less than it takes, because every layer that looks along time needs
neighbours. In steps such a layer is given, before the new frames, the last that it was given before, and so puts out as
many as came in. What the layers remember are the network's states, tensors of fixed lengths. They may begin as zeros:
what comes out while the first `context` samples go in is not to be used, and after that nothing depends on them. So a
song begins with as much silence, and its stems come out `lookahead` samples after their mixture went in.

A layer that looks along time owes `step(recall, *inputs)`, which does what a call does but asks `recall` for what went
before. What works on each frame by itself is called as it is.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

import keras
from keras import layers, ops, tree

from tfwavesep.errors import ModelError


class FrameByFrame(layers.Layer):
    """A layer that makes something of each frame, or sample, by itself: its step is a call."""


ALONE = (
    FrameByFrame,
    layers.Add,
    layers.Average,
    layers.Concatenate,
    layers.LayerNormalization,
    layers.Multiply,
    layers.Permute,
    layers.ReLU,
    layers.Rescaling,
    layers.Reshape,
    layers.Subtract,
)
"""Layers that do so where networks use them here: none joins, normalises or reorders along time."""


class Recall(Protocol):
    """What a layer asks for what went before."""

    def __call__(self, x: Any, length: int, axis: int = 2, name: str = "") -> Any:
        """`x` with the last `length` frames before it in front, along an axis; `name` tells a layer's states apart."""
        ...


class Memory:
    """The states of a network from one step to the next.

    Args:
        states: by their names, what the step before left; None for zeros.

    Attributes:
        kept: by the same names, what this step leaves.
    """

    def __init__(self, states: Mapping[str, Any] | None = None) -> None:
        self._states = states
        self.kept: dict[str, Any] = {}

    def recall(self, layer: str, x: Any, length: int, axis: int = 2, name: str = "") -> Any:
        """See `Recall`."""
        if not length:
            return x
        key = f"{layer}_{name}" if name else layer
        shape = list(ops.shape(x))
        before = ops.zeros([*shape[:axis], length, *shape[axis + 1 :]]) if self._states is None else self._states[key]
        joined = ops.concatenate([before, x], axis=axis)
        self.kept[key] = joined[(slice(None),) * axis + (slice(-length, None),)]
        return joined


def delayed(recall: Recall, x: Any, length: int, axis: int = 2, name: str = "") -> Any:
    """As many frames as `x` has, from `length` frames before it on: what cutting the end off is in steps."""
    return recall(x, length, axis, name)[(slice(None),) * axis + (slice(-length),)] if length else x


def step(network: keras.Model, mixture: Any, states: Mapping[str, Any] | None) -> tuple[Any, dict[str, Any]]:
    """The next samples.

    Args:
        network: a functional model from `mixture` to `stems`.
        mixture: `(batch, time, channels)`, time being a multiple of the network's block.
        states: what the step before left, `(batch, …)` each; None for zeros.

    Returns:
        stems `(batch, stems, time, channels)` of the samples that end `lookahead` samples before the mixture's end; and
        the new states.

    Raises:
        ModelError: a layer of the network cannot work step by step.
    """
    memory = Memory(states)
    stems = _through(network, mixture, memory, "")
    return stems, memory.kept


def state_shapes(network: keras.Model, block: int) -> dict[str, tuple[int, ...]]:
    """The shapes of a network's states by their names, without the batch.

    Args:
        network: as in `step`.
        block: of the network, in samples.

    Raises:
        ModelError: as in `step`.
    """
    _, states = step(network, ops.zeros((1, block, network.inputs[0].shape[-1])), None)
    return {name: tuple(state.shape[1:]) for name, state in states.items()}


def _through(network: keras.Model, inputs: Any, memory: Memory, prefix: str) -> Any:
    """What a functional model makes of inputs, each of its layers doing a step."""
    outputs = network._run_through_graph(inputs, operation_fn=partial(_stepping, memory=memory, prefix=prefix))
    flat = tree.flatten(outputs)
    return flat[0] if len(flat) == 1 else outputs


def _stepping(layer: keras.Operation, memory: Memory, prefix: str) -> Callable[..., Any]:
    """What is called in place of a layer; steps take none of the options of calls, which are those of training."""
    if _is_alone(layer):
        return layer

    def stepping(*inputs: Any, **_: Any) -> Any:
        with keras.name_scope(layer.name):
            return _step(layer, memory, prefix + layer.name, *inputs)

    return stepping


def _step(layer: layers.Layer, memory: Memory, name: str, x: Any, *more: Any) -> Any:
    """What a layer that looks along time makes of the next samples."""
    recall: Recall = partial(memory.recall, name)
    if isinstance(layer, keras.Model):
        return _through(layer, x, memory, f"{name}_")
    if hasattr(layer, "step"):
        return layer.step(recall, x, *more)
    if isinstance(layer, layers.Cropping1D):
        return delayed(recall, x, layer.cropping[1], axis=1)
    if isinstance(layer, layers.Conv2D) and _is_along_time_alone(layer):
        return layer(recall(x, layer.kernel_size[1] - 1))
    raise ModelError(f"the network cannot go step by step: its layer {name} ({type(layer).__name__}) has no steps")


def _is_alone(layer: keras.Operation) -> bool:
    """Whether it makes something of each frame by itself; arithmetic does."""
    return isinstance(layer, ALONE) or not isinstance(layer, layers.Layer)


def _is_along_time_alone(layer: layers.Conv2D) -> bool:
    """Whether a convolution slides along time, frame by frame, and pads nothing."""
    strides: Sequence[int] = layer.strides
    return (
        layer.padding == "valid"
        and tuple(strides) == (1, 1)
        and layer.kernel_size[0] == 1
        and layer.dilation_rate == (1, 1)
    )
