"""A striate network as the torch.nn modules that a PyTorch user would write: channels first, with the same weights."""

import operator
from collections.abc import Callable
from typing import Any

import torch
from torch import fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from striate import layers
from striate.foundation.shapes import padding_cells
from striate.layers.symbol import Node, symbols_in
from striate.models import Model

CONV = {3: nn.Conv1d, 4: nn.Conv2d, 5: nn.Conv3d}
CONV_BACK = {3: nn.ConvTranspose1d, 4: nn.ConvTranspose2d, 5: nn.ConvTranspose3d}
NORM = {2: nn.BatchNorm1d, 3: nn.BatchNorm1d, 4: nn.BatchNorm2d, 5: nn.BatchNorm3d}
POOL = {3: nn.MaxPool1d, 4: nn.MaxPool2d, 5: nn.MaxPool3d}
PAD = {3: nn.ZeroPad1d, 4: nn.ZeroPad2d, 5: nn.ZeroPad3d}
ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "sigmoid": nn.Sigmoid,
    "softmax": lambda: nn.Softmax(1),
}
Sides = list[tuple[int, int]]
Move = Callable[[torch.Tensor], torch.Tensor]


class Twin:
    """The modules and, in `forward`, how they follow each other.

    Args:
        model: With one input and one output, of the layers below.

    Attributes:
        module: A `torch.fx.GraphModule`; `print(twin.module.code)` shows it. It gives scores: a sigmoid or softmax at
            the end is left to the loss, as PyTorch's losses want it.
        final: That activation, or nothing.
        weights: For every parameter of the module striate's, and what turns the values of this into those of that.
    """

    def __init__(self, model: Model) -> None:
        assert model.graph is not None
        self.weights: list[tuple[nn.Parameter, torch.Tensor, Move]] = []
        self.final: nn.Module = nn.Identity()
        self._modules, self._graph = nn.Module(), fx.Graph()
        self._values: dict[int, fx.Node] = {}  # what the graph calls a symbol
        self._flat: dict[int, tuple[int, ...]] = {}  # the shape that a flattened one had
        self._padded: dict[int, Sides] = {}  # zeros that the next window is to bring along
        self._last = model.graph.output_symbols[0].node
        for node in model.graph.nodes:
            if node.inputs:
                self._add(node)
            else:
                self._values[id(node.outputs)] = self._graph.placeholder("x")
        self._graph.output(self._values[id(self._last.outputs)])
        self.module = fx.GraphModule(self._modules, self._graph)

    def predict(self, x: torch.Tensor) -> torch.Tensor:
        """What the network puts out, channels first."""
        return self.final(self.module(x))

    def _add(self, node: Node) -> None:
        """Put in what does a layer's work."""
        layer, out = node.layer, id(node.outputs)
        sources = symbols_in(node.args)
        x, source = self._values[id(sources[0])], sources[0]
        if isinstance(layer, layers.Add):
            x = self._call(operator.add, *(self._values[id(symbol)] for symbol in sources))
        elif isinstance(layer, layers.Concatenate):
            x = self._graph.call_function(torch.cat, ([self._values[id(symbol)] for symbol in sources], 1))
        elif isinstance(layer, layers.GlobalMaxPooling1D):
            x = self._call(torch.amax, x, 2)
        elif type(layer).__name__.startswith("GlobalAverage"):
            x = self._call(torch.mean, x, tuple(range(2, source.ndim)))
        elif isinstance(layer, layers.ZeroPadding2D):
            self._padded[out] = [tuple(side) for side in layer.padding]
        elif isinstance(layer, layers.Flatten):
            self._flat[out] = source.shape[1:]
            x = self._module(layer, nn.Flatten(), x)
        elif isinstance(layer, layers.Embedding):
            x = self._call(torch.transpose, self._embed(layer, x), 1, 2)
        elif isinstance(layer, layers.Dropout | layers.Activation | layers.ReLU):
            x = self._elementwise(node, x)
            if id(source) in self._flat:
                self._flat[out] = self._flat[id(source)]
        else:
            x = self._weighted(node, x, source)
        self._values[out] = x

    def _elementwise(self, node: Node, x: fx.Node) -> fx.Node:
        layer = node.layer
        if isinstance(layer, layers.Dropout):
            return self._module(layer, nn.Dropout(layer.rate), x)
        if isinstance(layer, layers.ReLU):
            assert layer.max_value in (None, 6.0)
            return self._module(layer, nn.ReLU6() if layer.max_value else nn.ReLU(), x)
        return self._activate(node, x)

    def _weighted(self, node: Node, x: fx.Node, source: Any) -> fx.Node:
        """Layers that slide windows, normalise or multiply, with their activation."""
        layer, rank = node.layer, source.ndim
        if isinstance(layer, layers.MaxPooling1D | layers.MaxPooling2D | layers.MaxPooling3D):
            sides = self._sides(layer, source, layer.pool_size)
            assert all(before == after for before, after in sides)
            return self._module(layer, POOL[rank](layer.pool_size, layer.strides, [side[0] for side in sides]), x)
        if isinstance(layer, layers.BatchNormalization):
            return self._module(layer, self._norm(layer, rank, source.shape[-1]), x)
        if isinstance(layer, layers.Dense):
            assert rank == 2
            return self._activate(node, self._module(layer, self._linear(layer, self._flat.get(id(source))), x))
        if isinstance(layer, layers.Conv2DTranspose):
            assert layer.kernel_size == layer.strides
            assert layer.output_padding is None
            module = CONV_BACK[rank](source.shape[-1], layer.filters, layer.kernel_size, layer.strides)
            module = self._take(module, layer, _channels_first)
        else:
            sides = self._sides(layer, source, layer.kernel_size)
            even = all(before == after for before, after in sides)
            if not even:  # as torch does with padding="same"
                flat = [cells for side in reversed(sides) for cells in side]
                x = self._module(layer, PAD[rank](tuple(flat)), x, "_pad")
            module = self._conv(layer, rank, source.shape[-1], [side[0] for side in sides] if even else 0)
        return self._activate(node, self._module(layer, module, x))

    def _conv(self, layer: Any, rank: int, channels: int, padding: Any) -> nn.Module:
        depthwise = isinstance(layer, layers.DepthwiseConv2D)
        filters, groups = layer.filters_for(channels), channels if depthwise else layer.groups
        window = layer.kernel_size, layer.strides, padding, layer.dilation_rate
        module = CONV[rank](channels, filters, *window, groups, bias=layer.use_bias)
        return self._take(module, layer, _depthwise_first if depthwise else _channels_first)

    def _linear(self, layer: layers.Dense, shape: tuple[int, ...] | None) -> nn.Linear:
        """Its rows in the order of channels-first cells, where what comes in was flattened."""

        def move(kernel: torch.Tensor) -> torch.Tensor:
            if shape is not None:
                kernel = kernel.reshape(*shape, -1).movedim(len(shape) - 1, 0).flatten(0, len(shape) - 1)
            return kernel.t()

        return self._take(nn.Linear(*layer.kernel.shape, bias=layer.use_bias), layer, move)

    def _norm(self, layer: layers.BatchNormalization, rank: int, channels: int) -> nn.Module:
        module = NORM[rank](channels, layer.epsilon, 1 - layer.momentum)
        self._copy(module.weight, layer.gamma)
        self._copy(module.bias, layer.beta)
        module.running_mean.copy_(layer.moving_mean)
        module.running_var.copy_(layer.moving_variance)
        return module

    def _embed(self, layer: layers.Embedding, x: fx.Node) -> fx.Node:
        module = nn.Embedding(layer.input_dim, layer.output_dim)
        self._copy(module.weight, layer.embeddings)
        return self._module(layer, module, x)

    def _sides(self, layer: Any, source: Any, size: tuple[int, ...]) -> Sides:
        """Cells that the layer's window sees before and after each axis."""
        if id(source) in self._padded:
            assert layer.padding == "valid"
            return self._padded[id(source)]
        axes = zip(source.shape[1:-1], size, layer.strides, strict=True)
        return [padding_cells(cells, kernel, stride, layer.padding) for cells, kernel, stride in axes]

    def _take(self, module: Any, layer: Any, move: Move) -> Any:
        self._copy(module.weight, layer.kernel, move)
        if layer.use_bias:
            self._copy(module.bias, layer.bias)
        return module

    def _copy(self, parameter: nn.Parameter, weight: torch.Tensor, move: Move = torch.detach) -> None:
        with torch.no_grad():
            parameter.copy_(move(weight))
        self.weights.append((parameter, weight, move))

    def _activate(self, node: Node, x: fx.Node) -> fx.Node:
        name = node.layer.config()["activation"]
        if name == "linear":
            return x
        module = ACTIVATIONS[name]()
        if node is self._last and name != "relu":
            self.final = module
            return x
        return self._module(node.layer, module, x, f"_{name}")

    def _module(self, layer: Any, module: nn.Module, x: fx.Node, suffix: str = "") -> fx.Node:
        self._modules.add_module(layer.name + suffix, module)
        return self._graph.call_module(layer.name + suffix, (x,))

    def _call(self, function: Callable[..., Any], *arguments: Any) -> fx.Node:
        return self._graph.call_function(function, arguments)


def _channels_first(kernel: torch.Tensor) -> torch.Tensor:
    """(window, in, out) as (out, in, window); of transposed convolutions (window, out, in) as (in, out, window)."""
    return kernel.movedim((-1, -2), (0, 1))


def _depthwise_first(kernel: torch.Tensor) -> torch.Tensor:
    """(window, channels, multiplier) as (channels * multiplier, 1, window)."""
    return kernel.movedim((-2, -1), (0, 1)).flatten(0, 1).unsqueeze(1)


def fold(module: fx.GraphModule) -> None:
    """Put batch normalization, as it predicts, into the convolutions before it."""
    for node in list(module.graph.nodes):
        before = node.args[0] if node.op == "call_module" else None
        if not isinstance(before, fx.Node) or before.op != "call_module" or len(before.users) > 1:
            continue
        conv, norm = module.get_submodule(before.target), module.get_submodule(node.target)
        if isinstance(conv, tuple(CONV.values())) and isinstance(norm, tuple(NORM.values())):
            module.set_submodule(before.target, fuse_conv_bn_eval(conv, norm))
            node.replace_all_uses_with(before)
            module.graph.erase_node(node)
    module.delete_all_unused_submodules()
    module.recompile()


def channels_first(x: torch.Tensor) -> torch.Tensor:
    """What striate takes as the twin takes it: a view for pictures, series and volumes, words as they are."""
    return x if x.ndim < 3 else x.movedim(-1, 1)


def torch_loss(name: str) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    """PyTorch's loss of scores, by Keras's name."""
    losses = {
        "binary_crossentropy": nn.functional.binary_cross_entropy_with_logits,
        "sparse_categorical_crossentropy": nn.functional.cross_entropy,
    }
    return losses[name]
