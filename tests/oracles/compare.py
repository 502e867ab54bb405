"""Builds the same layer here and in Keras, gives both the same weights and input, and compares what they do."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
import torch
from keras.src.backend.common import dtypes

from striate import layers

# Of the largest value of an array: what rounding may change. Sums of float32 carry its noise, float64 shows the rest.
TOLERANCE = {"float32": 1e-5, "float64": 1e-12}


@dataclass(frozen=True)
class Case:
    """One layer, its arguments, and the shapes (N included) of what it is called on."""

    layer: str
    arguments: dict[str, Any] = field(default_factory=dict)
    shapes: tuple[tuple[int, ...], ...] = ((2, 8, 8, 3),)
    values: str = "normal"  # or "ties": few different numbers, so that maxima tie and zeros occur; or an int dtype
    dtypes: tuple[str, ...] = ("float32", "float64")  # the second alone where cancellation leaves float32 only noise
    training: tuple[bool, ...] = (False, True)  # the modes to compare in; not training where that is random

    def __str__(self) -> str:
        arguments = ",".join(f"{key}={value}" for key, value in self.arguments.items())
        shapes = "+".join("x".join(map(str, shape)) for shape in self.shapes)
        return f"{self.layer}({arguments})-{shapes}" + ("" if self.values == "normal" else f"-{self.values}")


def make(library: Any, case: Case, dtype: str | None = None, **more: Any) -> Any:
    """The layer of a case out of one library; cases among its arguments are layers, too."""

    def argument(value: Any) -> Any:
        if isinstance(value, list):
            return [argument(item) for item in value]
        # A name, since automatic ones count on.
        return make(library, value, dtype, name=f"inner_{value.layer}") if isinstance(value, Case) else value

    arguments = {name: argument(value) for name, value in case.arguments.items()}
    return getattr(library, case.layer)(**arguments, dtype=dtype, **more)


class Pair:
    """The layer of a case, here and in Keras, with equal weights."""

    def __init__(self, case: Case, dtype: str) -> None:
        self.case, self.dtype = case, dtype
        random = np.random.default_rng(7)
        self.ours, self.theirs = make(layers, case, dtype), make(keras.layers, case, dtype)
        self.inputs = [self._values(random, shape) for shape in case.shapes]
        self.call(self.ours, training=False)
        self.call(self.theirs, training=False)
        assert [tuple(weight.shape) for weight in self.ours.weights] == [
            tuple(weight.shape) for weight in self.theirs.weights
        ]
        # Positive, since one of them may be a variance.
        weights = [random.uniform(0.2, 1.0, weight.shape).astype(dtype) for weight in self.theirs.weights]
        self.ours.set_weights(weights)
        self.theirs.set_weights(weights)

    def _values(self, random: np.random.Generator, shape: tuple[int, ...]) -> torch.Tensor:
        kind = self.case.values
        if kind == "normal":
            return torch.tensor(random.normal(size=shape), dtype=getattr(torch, self.dtype))
        if kind == "ties":
            return torch.tensor(random.integers(-1, 2, shape), dtype=getattr(torch, self.dtype))
        return torch.tensor(random.integers(0, 256, shape), dtype=getattr(torch, kind))

    def call(self, layer: Any, training: bool) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """The output, and the inputs it was computed from."""
        inputs = [value.clone().requires_grad_(value.is_floating_point()) for value in self.inputs]
        return layer(inputs if len(inputs) > 1 else inputs[0], training=training), inputs

    def run(self, layer: Any, parameters: list[torch.Tensor], training: bool) -> dict[str, Any]:
        """The output, its gradients along a random direction, the weights after, and what is added to the loss."""
        output, inputs = self.call(layer, training)
        wanted = [tensor for tensor in [*inputs, *parameters] if tensor.requires_grad]
        direction = torch.tensor(np.random.default_rng(8).normal(size=output.shape), dtype=output.dtype)
        gradients = torch.autograd.grad((output * direction).sum(), wanted) if wanted else ()
        return {
            "output": output.detach().numpy(),
            **{f"gradient {index}": value.numpy() for index, value in enumerate(gradients)},
            **{f"weight {index} after": value for index, value in enumerate(weights_of(layer))},
            **{f"loss {index}": loss.detach().numpy() for index, loss in enumerate(layer.losses)},
        }


@contextlib.contextmanager
def double_precision() -> Iterator[None]:
    """Let Keras compute in float64: but for TensorFlow its backends quietly take float32, as JAX does."""
    table, floatx, policy = dtypes.BIT64_TO_BIT32_DTYPE, keras.config.floatx(), keras.config.dtype_policy()
    before, table["float64"] = table["float64"], "float64"
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    try:
        yield
    finally:
        table["float64"] = before
        keras.config.set_floatx(floatx)
        keras.config.set_dtype_policy(policy)


def weights_of(layer: Any) -> list[np.ndarray]:
    """Copies of the weights; Keras's own get_weights warns with NumPy 2."""
    tensors = [getattr(weight, "value", weight) for weight in layer.weights]
    return [tensor.detach().numpy().copy() for tensor in tensors]


def compare_arrays(case: Case, dtype: str, training: bool) -> None:
    """Outputs, gradients of inputs and weights, and weights after the call agree."""
    with double_precision() if dtype == "float64" else contextlib.nullcontext():
        pair = Pair(case, dtype)
        ours = pair.run(pair.ours, [w for w in pair.ours.weights if w.requires_grad], training)
        # oneDNN 3.12 dies of the gradient of a strided window of one cell: see layers/convolution.py.
        with torch.backends.mkldnn.flags(enabled=case.arguments.get("kernel_size") not in (1, (1, 1), (1, 1, 1))):
            theirs = pair.run(pair.theirs, [w.value for w in pair.theirs.trainable_weights], training)
    assert list(ours) == list(theirs)
    for what, expected in theirs.items():
        assert_close(ours[what], expected, TOLERANCE[dtype], what)


def assert_close(got: np.ndarray, expected: np.ndarray, tolerance: float, what: str = "array") -> None:
    """Equal up to `tolerance` of the largest expected value; NaN and infinities in the same places."""
    assert got.shape == expected.shape, what
    assert got.dtype == expected.dtype, what
    finite = np.isfinite(expected)
    scale = np.abs(expected[finite]).max(initial=0.0)
    np.testing.assert_allclose(got, expected, rtol=0, atol=tolerance * scale, err_msg=what)


def compare_shapes(case: Case) -> None:
    """The shape that comes out for shapes with None, as far as Keras tells one."""
    pair = Pair(case, "float32")
    for unknown in unknown_sizes(case):
        shapes = [tuple(None if axis in unknown else size for axis, size in enumerate(s)) for s in case.shapes]
        shape = shapes if len(shapes) > 1 else shapes[0]
        expected = tuple(pair.theirs.compute_output_shape(shape))
        assert tuple(pair.ours.compute_output_shape(shape)) == expected, f"for {shape}"


def unknown_sizes(case: Case) -> list[set[int]]:
    """Sets of axes to leave open: N alone, and all but the one of the channels and those that weights have."""
    axes = len(case.shapes[0])
    closed = [1 if case.arguments.get("data_format") == "channels_first" else -1]
    if case.layer.endswith("Normalization") and case.arguments.get("axis", -1) is not None:
        axis = case.arguments.get("axis", -1)
        closed = axis if isinstance(axis, list) else [axis]
    if case.layer == "PReLU":
        shared = case.arguments.get("shared_axes") or []
        closed = [
            axis for axis in range(1, axes) if axis not in (shared if isinstance(shared, list | tuple) else [shared])
        ]
    return [{0}, set(range(axes)) - {axis % axes for axis in closed}]
