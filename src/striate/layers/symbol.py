"""Symbols: what `Input` returns and layers pass on while a network is being described."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, ClassVar

from striate.foundation.checks import UserError
from striate.foundation.nested import flatten, map_structure
from striate.foundation.shapes import Shape, describe

if TYPE_CHECKING:
    from striate.layers.layer import Layer


OTHERWISE = "Use a layer (Add, Activation, TorchModule(...)), or subclass Model and compute in forward."


class ShapeError(UserError):
    """A layer got a shape it cannot take."""


class Node:
    """One call of a layer on symbols: an edge of the graph.

    Args:
        layer: What was called.
        args: Its positional arguments, symbols anywhere inside.
        kwargs: Its keyword arguments.
    """

    def __init__(self, layer: "Layer", args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.layer, self.args, self.kwargs = layer, args, kwargs
        self.outputs: Any = None

    @property
    def inputs(self) -> "list[Symbol]":
        """The symbols among the arguments, in order."""
        return symbols_in((self.args, self.kwargs))

    @property
    def is_simple(self) -> bool:
        """Whether one array goes in and one comes out, and nothing else is said."""
        return (
            not self.kwargs and len(self.args) == 1 and all(isinstance(s, Symbol) for s in (*self.args, self.outputs))
        )


class Symbol:
    """A tensor that is not there yet: its shape, its dtype and the node that will make it.

    Args:
        shape: With None for sizes that are known only when data comes.
        dtype: "float32", "int32", ...
        node: The call that makes it.
        index: Which of that call's outputs it is.
    """

    # What arithmetic becomes; `operators.py` says it, since layers know symbols and not the other way round.
    operators: ClassVar[dict[str, Callable[..., Any]]] = {}

    def __init__(self, shape: Shape, dtype: str, node: Node, index: int = 0) -> None:
        self.shape, self.dtype, self.node, self.index = tuple(shape), dtype, node, index

    @property
    def name(self) -> str:
        """The name of the layer that makes it."""
        return self.node.layer.name

    @property
    def ndim(self) -> int:
        """How many axes it has."""
        return len(self.shape)

    def __repr__(self) -> str:
        return f"<Symbol {self.name!r} shape={describe(self.shape)} dtype={self.dtype}>"

    def __bool__(self) -> bool:
        raise self.refuse("a question that needs its value")

    def __iter__(self) -> Iterator[Any]:
        raise self.refuse("iteration")

    def __add__(self, other: Any) -> Any:
        return self._compute("+", self, other)

    def __radd__(self, other: Any) -> Any:
        return self._compute("+", other, self)

    def __sub__(self, other: Any) -> Any:
        return self._compute("-", self, other)

    def __rsub__(self, other: Any) -> Any:
        return self._compute("-", other, self)

    def __mul__(self, other: Any) -> Any:
        return self._compute("*", self, other)

    def __rmul__(self, other: Any) -> Any:
        return self._compute("*", other, self)

    def __truediv__(self, other: Any) -> Any:
        return self._compute("/", self, other)

    def __neg__(self) -> Any:
        return self._compute("negative", self)

    def _operator(self, *_: Any) -> Any:
        raise self.refuse("arithmetic that no layer does")

    __rtruediv__ = __matmul__ = __rmatmul__ = __pow__ = __rpow__ = _operator

    def __getitem__(self, _: Any) -> Any:
        layer = f"Cropping{self.ndim - 2}D" if self.ndim in (3, 4, 5) else "Reshape or Flatten"
        fix = f"Use {layer}; for other parts write a subclass of Layer that takes them in its forward."
        raise self.refuse("a part to be taken", fix)

    def _compute(self, operator: str, *operands: Any) -> Any:
        result = self.operators[operator](*operands)
        return self._operator() if result is NotImplemented else result

    @classmethod
    def __torch_function__(cls, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        symbol = symbols_in((args, kwargs or {}))[0]
        raise symbol.refuse(f"torch's {getattr(function, '__name__', function)}")

    def refuse(self, what: str, fix: str = OTHERWISE) -> UserError:
        """The error for what cannot be done with a symbol."""
        return UserError(f"Symbol {self.name!r}", what, "layers: it has a shape but no numbers", fix)


def symbols_in(structure: Any, *, sort_keys: bool = False) -> list[Symbol]:
    """Every symbol inside nested tuples, lists and dicts, in the order given or in Keras's, by sorted keys."""
    return [leaf for leaf in flatten(structure, sort_keys=sort_keys) if isinstance(leaf, Symbol)]


def replace_symbols(structure: Any, value: Callable[[Symbol], Any]) -> Any:
    """The same structure with `value(symbol)` in the place of every symbol."""
    return map_structure(lambda leaf: value(leaf) if isinstance(leaf, Symbol) else leaf, structure)


def layer_that_changed_rank(symbol: Symbol, rank: int) -> "Layer | None":
    """The first layer upstream of `symbol` that still received `rank` axes: what to put a layer before.

    Returns:
        None where nothing upstream has that rank.
    """
    while symbol.node.inputs:
        source = symbol.node.inputs[0]
        if source.ndim == rank:
            return symbol.node.layer
        symbol = source
    return None


def in_context(error: ShapeError, symbol: Symbol, rank: int | None) -> ShapeError:
    """The same refusal, with where the shape came from and, if a layer upstream took the axes away, which."""
    fix = error.fix
    if rank is not None and symbol.ndim != rank:
        culprit = layer_that_changed_rank(symbol, rank)
        fix = f"Put it before {culprit.where}." if culprit else fix
    return ShapeError(error.where, f"{error.got} from {symbol.node.layer.where}", error.needs, fix)
