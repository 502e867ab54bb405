"""Symbols: what `Input` returns and layers pass on while a network is being described."""

import importlib
import inspect
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, ClassVar

from striate.foundation.checks import UserError
from striate.foundation.nested import flatten, map_structure
from striate.foundation.shapes import Shape, describe
from striate.foundation.wording import explained
from striate.layers.options import arguments_of

if TYPE_CHECKING:
    from striate.layers.layer import Layer


OTHERWISE = "Use striate.ops or a layer, or subclass Model and compute in forward."


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


def operate(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What an operation of `striate.ops` gives for arguments with symbols among them: symbols, of a node that it made.

    Raises:
        UserError: It cannot be recorded.
    """
    if Symbol.record is None:  # nobody has used an operation yet
        importlib.import_module("striate.ops")
    assert Symbol.record is not None
    return Symbol.record(name, args, kwargs)


def _operator(name: str, turned: bool = False) -> Callable[..., Any]:
    """A method that records an operation: of the symbol and what follows, or the other way round."""

    def method(self: "Symbol", *others: Any) -> Any:
        return operate(name, (*others, self) if turned else (self, *others), {})

    return method


class Symbol:
    """A tensor that is not there yet: its shape, its dtype and the node that will make it.

    Args:
        shape: With None for sizes that are known only when data comes.
        dtype: "float32", "int32", ...
        node: The call that makes it.
        index: Which of that call's outputs it is.
    """

    # Makes a node of an operation on symbols: (name, args, kwargs). `striate.ops` puts it here, a floor above.
    record: ClassVar[Callable[[str, tuple[Any, ...], dict[str, Any]], Any] | None] = None
    # NumPy is to leave array + symbol to the symbol.
    __array_ufunc__ = None

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

    __add__, __radd__ = _operator("add"), _operator("add", turned=True)
    __sub__, __rsub__ = _operator("subtract"), _operator("subtract", turned=True)
    __mul__, __rmul__ = _operator("multiply"), _operator("multiply", turned=True)
    __truediv__, __rtruediv__ = _operator("true_divide"), _operator("true_divide", turned=True)
    __floordiv__, __rfloordiv__ = _operator("floor_divide"), _operator("floor_divide", turned=True)
    __mod__, __rmod__ = _operator("mod"), _operator("mod", turned=True)
    __pow__, __rpow__ = _operator("power"), _operator("power", turned=True)
    __matmul__, __rmatmul__ = _operator("matmul"), _operator("matmul", turned=True)
    __and__, __rand__ = _operator("logical_and"), _operator("logical_and", turned=True)
    __or__, __ror__ = _operator("logical_or"), _operator("logical_or", turned=True)
    __xor__, __rxor__ = _operator("logical_xor"), _operator("logical_xor", turned=True)
    __lt__, __le__ = _operator("less"), _operator("less_equal")
    __gt__, __ge__ = _operator("greater"), _operator("greater_equal")
    __neg__, __abs__, __invert__ = _operator("negative"), _operator("absolute"), _operator("logical_not")
    __getitem__, reshape, squeeze = _operator("get_item"), _operator("reshape"), _operator("squeeze")

    @classmethod
    def __torch_function__(cls, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        symbol = symbols_in((args, kwargs or {}))[0]
        raise symbol.refuse(f"torch's {getattr(function, '__name__', function)}")

    def refuse(self, what: str, fix: str = OTHERWISE) -> UserError:
        """The error for what cannot be done with a symbol."""
        return UserError(f"Symbol {self.name!r}", what, "operations or layers: it has a shape but no numbers", fix)


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


def check_call(where: str, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Refuse a call of a layer that lacks an argument of its `forward`, before it is recorded.

    Args:
        function: The `forward`, or the `call` in its place, as the class has it.
        args: What it is called with, the layer first.
        kwargs: Likewise; the mode and the mask come by themselves.

    Raises:
        UserError: It does.
    """
    known = arguments_of(function)
    given = {name: value for name, value in kwargs.items() if name not in ("training", "mask")}
    given |= {name: None for name in ("training", "mask") if name in known}
    try:
        inspect.signature(function).bind(*args, **given)
    except TypeError as error:
        raise explained(where, function, args, given, error) from error
