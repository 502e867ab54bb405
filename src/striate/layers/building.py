"""Building: a layer gets all of its weights, or stays as it was."""

import contextlib
import functools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch

from striate.foundation.checks import UserError
from striate.foundation.explain import FAULTS, hand_on


@contextlib.contextmanager
def unchanged_on_error(modules: Iterable[torch.nn.Module]) -> Iterator[None]:
    """Whatever is refused inside leaves these modules, and all inside them, with what they had before."""
    before = [(inner, _copy(vars(inner))) for module in modules for inner in module.modules()]
    try:
        yield
    except BaseException:
        for module, attributes in before:
            vars(module).clear()
            vars(module).update(attributes)
        raise


def _copy(attributes: dict[str, Any]) -> dict[str, Any]:
    """A module's attributes, its weights, layers inside and calls among them, with lists and dicts of their own."""
    return {name: value.copy() if type(value) in (list, dict) else value for name, value in attributes.items()}


def building(build: Callable[..., None]) -> Callable[..., None]:
    """A layer's `build` that makes all weights or none, and notes that they are there.

    So a layer that was built by hand keeps its weights when the first data comes.

    Raises:
        UserError: There are weights already, which a second `build` would replace.
    """

    @functools.wraps(build)
    def whole(self: Any, *args: Any, **kwargs: Any) -> None:
        is_model = hasattr(self, "graph")  # models are built layer by layer, and say themselves when they are
        if self._building or is_model:  # or a subclass calls the `build` of its base
            return build(self, *args, **kwargs)
        if self.built and self.weights:
            fix = "Build a new layer, or put the call where the layer has no weights yet."
            raise UserError(f"{self.where}.build", "a second call", "to be called once: the weights are there", fix)
        with unchanged_on_error([self]):
            self._building = True
            try:
                build(self, *args, **kwargs)
            except FAULTS as error:
                hand_on(f"{self.where}.build", build, (self, *args), kwargs, error)
            self._building = False
            self.built = True
        return None

    return whole
