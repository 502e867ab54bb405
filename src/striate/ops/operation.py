"""An operation in a network that is being described: `ops.mean(x, axis=1)`, `x[:, 0]` and `x + y` on symbols."""

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from striate.foundation.checks import UserError
from striate.foundation.explain import FAULTS, hand_on
from striate.foundation.names import snake_case, unique_name
from striate.foundation.nested import flatten, map_structure
from striate.foundation.shapes import Shape, product
from striate.foundation.wording import ExplainedError, explained
from striate.layers.layer import Layer
from striate.layers.structure import is_shape
from striate.layers.symbol import Node, Symbol, symbols_in
from striate.layers.trial import GUESSES
from striate.ops.arguments import FIX, Place, with_places
from striate.ops.nn import ACTIVATIONS
from striate.ops.records import Record, by_name

# What can be told of a symbol without computing anything.
KNOWN = {
    "shape": lambda x: x.shape,
    "ndim": lambda x: x.ndim,
    "dtype": lambda x: x.dtype,
    "is_tensor": lambda x: False,
    "convert_to_tensor": lambda x: x,
    "array": lambda x: x,
    "activations.linear": lambda x: x,
}


class Operation(Layer):
    """One operation of `striate.ops` with all its arguments but the arrays that come in: a layer without weights.

    A model's `layers` do not have it, as in Keras, but its `operations` do, `summary` and files.

    Args:
        record: Which operation, and how Keras records it.
        arguments: By name, with a `Place` for each array that comes in: the first, the second, ... of the call.
        name: Made from Keras's class name if left out.

    Example:
        >>> from striate.layers import Input
        >>> x = Input((4, 3))
        >>> y = record_call("mean", (x,), {"axis": 1})
        >>> y.shape, y.node.layer(torch.ones(2, 4, 3))
        ((None, 3), tensor([[1., 1., 1.],
                [1., 1., 1.]]))
    """

    def __init__(self, record: Record, arguments: dict[str, Any], name: str | None = None) -> None:
        self.record = record  # first: the layer's name for errors needs it
        super().__init__(name=name or unique_name(snake_case(record.class_name)))
        self.built = True
        self._arguments = arguments
        bound = inspect.BoundArguments(record.signature, arguments)
        self._args, self._kwargs = bound.args, bound.kwargs
        self._dtypes: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """Keras's name of the operation's class."""
        return self.record.class_name

    @property
    def is_pointwise(self) -> bool:
        """Whether every number that comes out is made of the numbers in one place."""
        return self.record.part in ("elementwise", "activation") or self.record.name in ACTIVATIONS

    def flops(self, input_shape: Any) -> Any:
        """One for each number that comes out, of operations that treat each alone; None where there is more to it."""
        if self.is_pointwise:
            return sum(product(shape[1:]) or 0 for shape in _shapes(self.compute_output_shape(input_shape)))
        return None if self.record.part in ("distances", "image", "linear", "nn", "reductions", "windows") else 0

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments by name, with a `Place` for each array that comes in."""
        return self._arguments

    def __call__(self, inputs: Any, **_: Any) -> Any:  # type: ignore[override]
        """What comes out for an array, or for a list of them; symbols for symbols."""
        if symbols_in(inputs):
            return self._record((inputs,), {})
        return self.forward(inputs)

    def forward(self, inputs: Any) -> Any:
        arrays = inputs if isinstance(inputs, list) else [inputs]
        device = arrays[0].device

        def fill(leaf: Any) -> Any:
            if isinstance(leaf, Place):
                return arrays[leaf.index]
            return leaf.to(device) if isinstance(leaf, torch.Tensor) else leaf

        args, kwargs = map_structure(fill, (self._args, self._kwargs))
        return self.record.function(*args, **kwargs)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return map_structure(lambda outcome: outcome.shape, self._try(_shapes(input_shape)))

    def _record(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """As of any layer, with the dtypes that come out, too."""
        node = Node(self, args, kwargs)
        self._dtypes = tuple(symbol.dtype for symbol in node.inputs)
        outcome = self._try([symbol.shape for symbol in node.inputs])
        numbers = {id(leaf): number for number, leaf in enumerate(flatten(outcome))}
        node.outputs = map_structure(lambda leaf: Symbol(leaf.shape, leaf.dtype, node, numbers[id(leaf)]), outcome)
        self.nodes.append(node)
        return node.outputs

    def _try(self, shapes: Sequence[Shape]) -> Any:
        """What comes out for these shapes, as `Outcome`s: found without numbers.

        Sizes that are not known are tried as one number and as another; what differs is not known either.
        """
        one, two = (self._outcome(shapes, guess) for guess in GUESSES)

        def agreed(first: torch.Tensor, second: torch.Tensor) -> Outcome:
            sizes = tuple(a if a == b else None for a, b in zip(first.shape, second.shape, strict=True))
            return Outcome(sizes, str(first.dtype).removeprefix("torch."))

        return map_structure(agreed, one, two)

    def _outcome(self, shapes: Sequence[Shape], guess: int) -> Any:
        try:
            with torch.no_grad(), torch.device("meta"):
                arrays = [
                    torch.empty([guess if size is None else size for size in shape], dtype=getattr(torch, dtype))
                    for shape, dtype in zip(shapes, self._dtypes, strict=True)
                ]
                found = self.forward(arrays)
        except (RuntimeError, UserError) as error:
            cause = error.__cause__ or error
            if isinstance(cause, NotImplementedError) or "meta" in str(cause).lower():
                raise _needs_numbers(self.record.name) from error
            raise
        if not all(isinstance(leaf, torch.Tensor) for leaf in flatten(found)):
            raise _needs_numbers(self.record.name)
        return found


def _shapes(shape: Any) -> list[Shape]:
    """One shape, or several, in a list."""
    return [shape] if is_shape(shape) else list(shape)


@dataclass(frozen=True, eq=False)
class Outcome:
    """The shape and the dtype of what an operation gives."""

    shape: Shape
    dtype: str


def record_call(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The symbols that an operation gives, called on symbols among other arguments; or what is known of a symbol.

    Raises:
        UserError: Its outcome cannot be told without numbers, or its arguments cannot be kept in files.
    """
    if name in KNOWN and len(args) == 1 and not kwargs:
        return KNOWN[name](args[0])
    if name not in by_name():
        raise _needs_numbers(name)
    record = by_name()[name]
    try:
        bound = record.signature.bind(*args, **kwargs)
        bound.apply_defaults()
        arguments, symbols = with_places(record.where, record, bound.arguments)
        return Operation(record, arguments)(symbols[0] if len(symbols) == 1 else symbols)
    except ExplainedError as error:  # said of arrays that stood for the symbols
        cause = error.__cause__ or error
        raise explained(record.where, record.function, args, kwargs, cause) from cause
    except FAULTS as error:
        hand_on(record.where, record.function, args, kwargs, error)


def _needs_numbers(name: str) -> UserError:
    needs = "arrays: what comes out cannot be told without numbers"
    return UserError(f"ops.{name}", "a symbol", needs, FIX)


Symbol.record = staticmethod(record_call)
