"""The arguments of a recorded operation: with places where arrays come in, and as Keras's files hold them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from striate.foundation.checks import UserError
from striate.foundation.nested import as_lists, map_structure
from striate.layers.input import TEXT
from striate.layers.symbol import Symbol, symbols_in
from striate.ops.records import Record
from striate.ops.table import DTYPES, to_tensor

FIX = "Write a subclass of Layer that computes it in its call."


@dataclass(frozen=True)
class Place:
    """Where, among an operation's arguments, an array comes in: the first, the second, ... of them."""

    index: int


def with_places(where: str, record: Record, arguments: dict[str, Any]) -> tuple[dict[str, Any], list[Symbol]]:
    """The arguments with places for symbols and tensors for arrays; and the symbols.

    Raises:
        UserError: A symbol stands where Keras keeps numbers, or files cannot hold a part.
    """
    symbols: list[Symbol] = []

    def keep(name: str, leaf: Any) -> Any:
        if not isinstance(leaf, Symbol):
            return _kept(where, name, leaf)
        if name not in record.called_with:
            raise UserError(where, f"the symbol {leaf.name!r} as {name}", f"{name} without symbols", FIX)
        if leaf.dtype == TEXT:
            raise UserError(where, f"the symbol {leaf.name!r} of texts", "numbers", "Use TextVectorization first.")
        if all(leaf is not other for other in symbols):
            symbols.append(leaf)
        return Place(next(index for index, other in enumerate(symbols) if other is leaf))

    kept = {}
    for name, value in arguments.items():
        if isinstance(value, list) and record.takes_array(name) and not symbols_in(value):
            value = to_tensor(value, None, where)
        kept[name] = map_structure(lambda leaf, name=name: keep(name, leaf), value)
    return kept, symbols


def _kept(where: str, name: str, leaf: Any) -> Any:
    """A leaf that is no symbol as a tensor, or as something that JSON or `to_form` knows."""
    if isinstance(leaf, np.ndarray | np.generic):
        return to_tensor(leaf, None, where) if np.ndim(leaf) else leaf.item()
    if isinstance(leaf, torch.Tensor):
        if leaf.requires_grad:
            needs = "arrays that training does not change"
            raise UserError(where, f"a weight as {name}", needs, "Write a subclass of Layer that has the weight.")
        return leaf.detach().cpu()
    if isinstance(leaf, torch.dtype):
        return str(leaf).removeprefix("torch.")
    if leaf is None or leaf is Ellipsis or isinstance(leaf, bool | int | float | str):
        return leaf
    parts = [leaf.start, leaf.stop, leaf.step] if isinstance(leaf, slice) else [leaf]
    if isinstance(leaf, slice) and all(part is None or hasattr(part, "__index__") for part in parts):
        return slice(*(None if part is None else int(part) for part in parts))
    odd = next(part for part in parts if part is not None and not hasattr(part, "__index__"))
    got = f"{name} with {odd!r}" if isinstance(leaf, slice) else f"{name}={leaf!r}"
    raise UserError(where, got, "numbers, texts, arrays, slices and symbols, which files can hold", FIX)


def to_form(value: Any) -> Any:
    """An argument as JSON holds it; places stay.

    Example:
        >>> to_form((slice(1, None), ...))
        [{'class_name': '__slice__', 'config': {'start': 1, 'stop': None, 'step': None}}, \
{'class_name': '__ellipsis__', 'config': {}}]
    """

    def write(leaf: Any) -> Any:
        if isinstance(leaf, slice):
            config = {"start": leaf.start, "stop": leaf.stop, "step": leaf.step}
            return {"class_name": "__slice__", "config": config}
        if leaf is Ellipsis:
            return {"class_name": "__ellipsis__", "config": {}}
        if isinstance(leaf, torch.Tensor):
            dtype = str(leaf.dtype).removeprefix("torch.")
            return {"class_name": "__tensor__", "config": {"value": leaf.tolist(), "dtype": dtype}}
        return leaf

    return as_lists(map_structure(write, value))


def from_form(value: Any, where: str) -> Any:
    """What `to_form`, or Keras, wrote.

    Raises:
        UserError: It holds something else.
    """

    def is_written(part: Any) -> bool:
        return isinstance(part, dict) and part.get("class_name") in _READERS and isinstance(part.get("config"), dict)

    def read(leaf: Any) -> Any:
        try:
            return _READERS[leaf["class_name"]](leaf["config"]) if is_written(leaf) else leaf
        except (TypeError, ValueError, KeyError, RuntimeError, OverflowError) as error:
            got = f"an argument that cannot be read ({str(error)[:200]})"
            raise UserError(where, got, "numbers and slices", "The file is damaged; make it again.") from error

    return map_structure(read, value, is_leaf=is_written)


def _slice(config: dict[str, Any]) -> slice:
    return slice(*(None if config[part] is None else int(config[part]) for part in ("start", "stop", "step")))


def _tensor(config: dict[str, Any]) -> torch.Tensor:
    return torch.tensor(config["value"], dtype=DTYPES[config["dtype"]], device="cpu")


_READERS: dict[str, Any] = {
    "__slice__": _slice,
    "__ellipsis__": lambda config: Ellipsis,
    "__tensor__": _tensor,
    "__numpy__": _tensor,
}
