"""Activation functions by Keras's names: `striate.activations.relu(x)`."""

from striate.layers.activation import FUNCTIONS, get, serialize

globals().update(FUNCTIONS)
deserialize = get

__all__ = [*FUNCTIONS, "deserialize", "get", "serialize"]
