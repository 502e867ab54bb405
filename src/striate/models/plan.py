"""The plan of a graph: which layers in a row run as one block. A faster way to compute the same."""

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import torch

from striate.kernels.library import library
from striate.kernels.reference import Rectifier
from striate.layers import activation as activations
from striate.layers.activation_layers import Activation, ReLU
from striate.layers.conv import Conv, Conv1D, Conv2D, Conv3D
from striate.layers.dense import Dense
from striate.layers.depthwise import DepthwiseConv2D
from striate.layers.global_pooling import GlobalMaxPooling1D
from striate.layers.layer import Layer
from striate.layers.merge import Add
from striate.layers.normalization import BatchNormalization
from striate.layers.padding import ZeroPadding2D
from striate.layers.pooling import MaxPooling, MaxPooling1D, MaxPooling2D, MaxPooling3D
from striate.layers.symbol import Node, Symbol
from striate.models.blocks import (
    Block,
    Connected,
    ConvGlobalMax,
    ConvMaxPool,
    Convolution,
    MaxPool,
)
from striate.models.depthwise_blocks import Depthwise, DepthwiseNormalization
from striate.models.normalization_blocks import ConvNormalization, Normalization
from striate.models.residual_blocks import Residual
from striate.ops.operation import Operation

RELU = Rectifier()
RECTIFIERS: dict[Any, Rectifier] = {activations.relu: RELU, activations.relu6: Rectifier(6.0)}
WORTH_A_STEP = 2**14  # numbers: the memory of their gradient counts, and the microseconds of a step of their own do not


class Plan:
    """What a graph's nodes are grouped into.

    `STRIATE_PLAN=off` in the environment leaves every layer as it is.

    Args:
        nodes: The graph's, in order.
        outputs: The symbols that come out, which no block may hide.
    """

    def __init__(self, nodes: Iterable[Node], outputs: Iterable[Symbol]) -> None:
        self.nodes = list(nodes)
        self.blocks: dict[Node, Block] = {}  # by the last node of each
        self.inside: set[Node] = set()  # nodes that a later one's block does the work of
        self.is_on = library() is not None and not is_off()
        if not self.is_on:
            return
        following = _followers(self.nodes, list(outputs))
        done: set[Node] = set()
        for node in self.nodes:
            if node in done or not node.is_simple:
                continue
            run = [node]
            while (after := following.get(run[-1])) is not None:
                run.append(after)
            block = find_block([one.layer for one in run])
            if block is not None:
                run = run[: len(block.layers)]
                if isinstance(block, Normalization) and block.rectifier is None:
                    block, run = self._with_sum(block, run, list(outputs), following)
                *before, last = run
                self.blocks[last] = block
                self.inside.update(before)
                done.update(before, [last])

    def _with_sum(
        self, block: Normalization, run: list[Node], outputs: list[Symbol], following: dict[Node, Node]
    ) -> tuple[Block, list[Node]]:
        """The block and its nodes, with the sum of two arrays that alone reads what it gives, and ReLU after that."""
        given = run[-1].outputs
        readers: list[Node | None] = [node for node in self.nodes for symbol in node.inputs if symbol is given]
        readers += [None for symbol in outputs if symbol is given]
        (add, *others) = readers or [None]
        if add is None or others or add in self.inside or add in self.blocks or not _adds_two(add):
            return block, run
        after = following.get(add)
        rectifier = None if after is None else rectifier_of(after.layer)
        relu = [] if after is None or rectifier is None else [after]
        place = 0 if add.inputs[0] is given else 1
        found = Residual(block, add.layer, place, relu[0].layer if relu else None, rectifier)  # type: ignore[arg-type]
        return found, [*run, add, *relu]

    def alone(self) -> list[torch.Tensor]:
        """Weights that are so large that their steps may well be taken early; see `Optimizer.backward`."""
        weights = [weight for node in self.nodes if self.is_on for weight in node.layer.parameters()]
        return [weight for weight in weights if weight.numel() >= WORTH_A_STEP]

    def __repr__(self) -> str:
        return self.describe()

    def describe(self) -> str:
        """What runs how, block by block, and how the last call of each went.

        Example:
            >>> from striate.layers import Dense
            >>> from striate.models import Sequential
            >>> print(Sequential([Dense(2, input_shape=(3,), name="out")]).plan.describe())
            Dense 'out': fully connected (not called yet)
        """
        lines = []
        for node in self.nodes:
            if node in self.blocks:
                block = self.blocks[node]
                names = " + ".join(layer.where for layer in block.layers)
                rectified = "ReLU" not in block.name and any(map(rectifier_of, block.layers))
                lines.append(f"{names}: {block.name}{' + ReLU' if rectified else ''} ({block.said})")
            elif node.inputs and node not in self.inside:
                lines.append(f"{node.layer.where}: as it is")
        return "\n".join(lines)


def is_off() -> bool:
    """Whether the environment says that layers are to be left alone."""
    return os.environ.get("STRIATE_PLAN") == "off"


def find_block(layers: Sequence[Layer]) -> Block | None:
    """The block that the first of these layers, each of which reads the one before it, begin; None if they begin none.

    Example:
        >>> block = find_block([Conv2D(8, 3), ReLU(), MaxPooling2D(), Dense(2)])
        >>> block.name, len(block.layers)
        ('convolution + ReLU + max-pooling', 3)
    """
    first = layers[0]
    if type(first) in (Conv1D, Conv2D, Conv3D) and first.data_format == "channels_last":
        return _begin_with_conv(layers)
    begins = type(first) is ZeroPadding2D and first.data_format == "channels_last" and len(layers) > 1
    if _is_depthwise(layers[begins]):
        return _begin_with_depthwise(layers, int(begins))
    if type(first) is Dense:
        follows = first.activation is activations.linear and len(layers) > 1 and rectifier_of(layers[1]) is RELU
        return Connected(layers[: 1 + follows])
    if type(first) is BatchNormalization:
        rectifier = rectifier_of(layers[1]) if len(layers) > 1 else None
        return Normalization(layers[: 1 if rectifier is None else 2], first, rectifier)
    pooling, count = _pooling_with_relu(layers)
    if pooling is not None:
        return MaxPool(layers[:count], pooling, relu=count == 2)
    return MaxPool(layers[:1], first, relu=False) if _pools(first) else None  # type: ignore[arg-type]


def _begin_with_conv(layers: Sequence[Layer]) -> Block | None:
    first, *rest = layers
    assert isinstance(first, Conv)
    rectified = first.activation is activations.linear and len(rest) > 1 and rectifier_of(rest[0]) is RELU
    last = rest[1] if rectified else rest[0] if rest else first
    simple = first.activation in (activations.linear, activations.relu)
    if simple and type(last) is GlobalMaxPooling1D and not last.keepdims and last.data_format == "channels_last":
        return ConvGlobalMax(layers[: 3 if rectified else 2])
    if first.activation is activations.relu:
        if rest and _pools(rest[0]):
            return ConvMaxPool(layers[:2], rest[0])  # type: ignore[arg-type]
        return Convolution(layers[:1])
    if first.activation is not activations.linear:
        return None
    if not rest:
        return Convolution(layers[:1])
    if type(rest[0]) is BatchNormalization:
        rectifier = rectifier_of(rest[1]) if len(rest) > 1 else None
        return ConvNormalization(layers[: 2 if rectifier is None else 3], rest[0], rectifier)
    pooling, count = _pooling_with_relu(rest)
    if pooling is not None:
        return ConvMaxPool(layers[: 1 + count], pooling)
    return Convolution(layers[: 1 + (rectifier_of(rest[0]) is RELU)])


def _is_depthwise(layer: Layer) -> bool:
    return type(layer) is DepthwiseConv2D and layer.data_format == "channels_last" and layer.depth_multiplier == 1


def _begin_with_depthwise(layers: Sequence[Layer], at: int) -> Block:
    """The layer before the convolution, if it is not the first, puts zeros around."""
    conv, *rest = layers[at:]
    assert isinstance(conv, DepthwiseConv2D)
    normed = conv.activation is activations.linear and bool(rest) and type(rest[0]) is BatchNormalization
    rectifier, count = RECTIFIERS.get(conv.activation), at + 1 + normed
    if conv.activation is activations.linear and len(layers) > count:
        rectifier = rectifier_of(layers[count])
        count += rectifier is not None
    if normed:
        return DepthwiseNormalization(layers[:count], rest[0], rectifier)  # type: ignore[arg-type]
    return Depthwise(layers[:count], rectifier)


def _pooling_with_relu(layers: Sequence[Layer]) -> tuple[MaxPooling | None, int]:
    """Max-pooling with ReLU before or after it, which is the same, and how many layers that are."""
    for relu, pooling in (layers[:2], layers[1::-1]) if len(layers) > 1 else ():
        if _pools(pooling) and rectifier_of(relu) is RELU:
            return pooling, 2  # type: ignore[return-value]
    return None, 0


def rectifier_of(layer: Layer) -> Rectifier | None:
    """What a layer of ReLU does, up to 6 included; None for any other."""
    if type(layer) is ReLU and not layer.negative_slope and not layer.threshold:
        return RELU if layer.max_value is None else Rectifier(layer.max_value)
    if type(layer) is Operation and layer.arguments.keys() == {"x"}:
        return {"relu": RELU, "relu6": Rectifier(6.0)}.get(layer.record.name)
    if type(layer) is Operation and layer.record.name == "activations.relu":
        options = layer.arguments
        plain = not options["negative_slope"] and not options["threshold"] and options["max_value"] in (None, 6)
        return None if not plain else RELU if options["max_value"] is None else Rectifier(6.0)
    if type(layer) is Activation:
        return RECTIFIERS.get(layer.activation)
    return None


def _adds_two(node: Node) -> bool:
    return type(node.layer) is Add and not node.kwargs and len(node.args) == 1 and len(node.inputs) == 2


def _pools(layer: Layer) -> bool:
    return type(layer) in (MaxPooling1D, MaxPooling2D, MaxPooling3D) and layer.data_format == "channels_last"


def _followers(nodes: list[Node], outputs: list[Symbol]) -> dict[Node, Node]:
    """For each node whose output one node reads, and nobody else, that node."""
    readers = Counter(id(symbol) for node in nodes for symbol in node.inputs)
    readers.update(id(symbol) for symbol in outputs)
    simple = [node for node in nodes if node.is_simple]
    return {node.inputs[0].node: node for node in simple if readers[id(node.inputs[0])] == 1}
