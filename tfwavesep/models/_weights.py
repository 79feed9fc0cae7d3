"""Weights that go from one network to another."""

import re
from typing import Any

import keras


def take_over(network: keras.Model, other: keras.Model) -> list[str]:
    """Give a network the weights of another wherever the two have one at the same place and of the same shape.

    Returns:
        paths of the network's weights for which there was none.
    """
    there = _by_place(other)
    left_out = []
    for place, weight in _by_place(network).items():
        if place in there and there[place].shape == weight.shape:
            weight.assign(there[place])
        else:
            left_out.append(weight.path)
    return left_out


def _by_place(network: keras.Model) -> dict[tuple[str, int], Any]:
    """Weights by their path without the number that Keras gives to layers without a name, which goes on from network to
    network, and which of those of the same path it is."""
    found: dict[tuple[str, int], Any] = {}
    for weight in network.weights:
        path = re.sub(r"_\d+(?=/)", "", weight.path)
        number = sum(1 for other, _ in found if other == path)
        found[path, number] = weight
    return found
