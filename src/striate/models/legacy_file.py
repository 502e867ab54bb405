"""The weight files of Keras 1 and 2, which `keras.applications` are published in (.h5)."""

import re
import warnings
from collections import defaultdict
from collections.abc import Collection, Iterator
from typing import IO, Any

from striate.foundation.checks import UserError
from striate.models.layout import Group
from striate.models.weights_file import Place, WeightsFile, several

# The names of the layers around some weights, outermost first, and of the layer itself.
Chain = tuple[str, ...]

# Files of whole models keep the weights in a group of their own; weights of the model itself are in another.
WHOLE, OWN = "model_weights", "top_level_model_weights"
# What weights and layers without a name were called before.
OLD_WEIGHTS = {
    "W": "kernel",
    "b": "bias",
    "depthwise_kernel": "kernel",
    "running_mean": "moving_mean",
    "running_std": "moving_variance",
}
OLD_LAYERS = {
    "atrousconvolution2d": "conv2d",
    "batchnormalization": "batch_normalization",
    "convolution1d": "conv1d",
    "convolution2d": "conv2d",
    "convolution3d": "conv3d",
    "separableconvolution2d": "separable_conv2d",
}


class LegacyFile(WeightsFile):
    """An open weight file with a group for each layer; a context manager.

    Layers are matched by name. Numbers behind names tell the order alone, since Keras goes on counting from model to
    model: conv2d_1, conv2d_2 fit conv2d, conv2d_1. One layer that is left over in both fits, too, as Keras has
    renamed the last one of some networks since their files were written.

    Args:
        file: Open for reading, in binary mode.
        where: How errors name it.
        by_name: Only layers whose names, numbers included, are in both.
        skip_mismatch: Leave out weights of another shape, with a warning.
    """

    def __init__(self, file: IO[bytes], where: str, by_name: bool = False, skip_mismatch: bool = False) -> None:
        super().__init__(file, where)
        self.by_name, self.skip_mismatch = by_name, skip_mismatch
        self._matched: list[Place] | None = None

    def _places(self, groups: list[Group]) -> list[Place]:
        if self._matched is None:
            wanted = {group.names: group for group in groups if group.weights}
            found = self._layers()
            pairs = self._pairs(wanted, found)
            self._matched = [
                place for ours, theirs in pairs for place in self._weights(wanted[ours], theirs, found[theirs])
            ]
        return self._matched

    def _check_extra(self, groups: list[Group]) -> None:
        """Nothing: `_pairs` and `_weights` have seen everything."""

    def _layers(self) -> dict[Chain, dict[str, Any]]:
        """The arrays of every layer by name; weights of layers inside another are in groups inside its group."""
        arrays = self._arrays(WHOLE) or self.arrays()
        if any(path.rpartition("/")[2] == "vars" for path in arrays):
            fix = "Give it a name that ends in .weights.h5."
            raise UserError(self.where, "weights as Keras 3 keeps them", "a group for each layer, by name", fix)
        found: dict[Chain, dict[str, Any]] = {}
        for path, members in arrays.items():
            chain = _chain(path.removeprefix(WHOLE).strip("/"))
            if chain in found:
                raise self._refuse(f"weights of {'/'.join(chain)!r} in two places", "one place for each layer")
            found[chain] = members
        return found

    def _pairs(self, wanted: dict[Chain, Group], found: Collection[Chain]) -> list[tuple[Chain, Chain]]:
        """The model's layers with the file's."""
        ours, theirs = self._keys(wanted), self._keys(found)
        pairs = [(ours[key], theirs[key]) for key in ours if key in theirs]
        if self.by_name:
            if not pairs:
                raise self._refuse("no layer whose name the model has", "at least one for by_name=True")
            return pairs
        missing = [ours[key] for key in ours if key not in theirs]
        extra = [theirs[key] for key in theirs if key not in ours]
        if len(missing) == len(extra) == 1:
            return [*pairs, (missing[0], extra[0])]
        if missing:
            group = wanted[missing[0]]
            raise self._other_model(group, "no weights of this layer", several(group.weights))
        if extra:
            got = f"weights of a layer {'/'.join(extra[0])!r}"
            raise self._refuse_other(got, "only weights that the model has")
        return pairs

    def _keys(self, chains: Collection[Chain]) -> dict[str, Chain]:
        """The layers by what is the same in both; some old names hold a slash where newer ones have a line."""
        ranks = _ranks(chains)
        found: dict[str, Chain] = {}
        for chain in chains:
            parts = chain if self.by_name else [_ranked(ranks, chain, depth) for depth in range(len(chain))]
            key = "_".join(parts).replace("/", "_")
            if key in found:
                got = f"layers {'/'.join(found[key])!r} and {'/'.join(chain)!r}"
                raise self._refuse_other(got, "names that can be told apart")
            found[key] = chain
        return found

    def _weights(self, group: Group, chain: Chain, members: dict[str, Any]) -> Iterator[Place]:
        """A layer's weights with the arrays for them."""
        layer = chain[-1] if chain else ""
        arrays = {_weight_name(name, layer, group.weights): array for name, array in members.items()}
        if len(arrays) != len(members) or arrays.keys() != group.weights.keys():
            raise self._other_model(group, several(members), several(group.weights))
        for index, (label, tensor) in enumerate(group.weights.items()):
            array = self._array(group, label, arrays[label], index)
            if self.skip_mismatch and array.shape != tuple(tensor.shape):
                found = f"{label!r} of shape {array.shape} is left out; it needs {tuple(tensor.shape)}"
                warnings.warn(f"{self.where}: {group.where}: {found}.", stacklevel=2)
                continue
            yield group, label, tensor, array


def _chain(path: str) -> Chain:
    """The layers of a group: conv/conv holds the weights of "conv", conv/model/conv as well.

    A layer's group is followed by the weight's own path, which begins with the layer, or a model around it.
    """
    parts = tuple(path.split("/")) if path else ()
    if parts[:1] == (OWN,):
        return ()
    again = parts.index(parts[0], 1) if parts and parts[0] in parts[1:] else 0
    return parts[again:]


def _split(name: str) -> tuple[str, int]:
    """A name and the number behind it; -1 for none."""
    stem, number = re.fullmatch(r"(.*?)(?:_(\d{1,9}))?", name, re.DOTALL).groups()  # type: ignore[union-attr]
    return OLD_LAYERS.get(stem, stem), -1 if number is None else int(number)


def _ranks(chains: Collection[Chain]) -> dict[tuple[Chain, str], dict[int, int]]:
    """For every name inside the same layer, its numbers and their places among them."""
    numbers: dict[tuple[Chain, str], set[int]] = defaultdict(set)
    for chain in chains:
        for depth, name in enumerate(chain):
            stem, number = _split(name)
            numbers[chain[:depth], stem].add(number)
    return {place: {number: rank for rank, number in enumerate(sorted(found))} for place, found in numbers.items()}


def _ranked(ranks: dict[tuple[Chain, str], dict[int, int]], chain: Chain, depth: int) -> str:
    stem, number = _split(chain[depth])
    rank = ranks[chain[:depth], stem][number]
    return f"{stem}#{rank}" if rank else stem


def _weight_name(name: str, layer: str, known: Collection[str]) -> str:
    """What we call a weight: "kernel" for kernel:0, and for conv_W_1:0 as Keras 1 wrote it."""
    name = name.partition(":")[0]
    if name in known:
        return name
    name = re.sub(r"_\d+$", "", name.removeprefix(f"{layer}_"))
    return name if name in known else OLD_WEIGHTS.get(name, name)
