"""Models: networks that can be trained, looked at and saved."""

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from striate.foundation.checks import UserError, nearest
from striate.foundation.custom_objects import custom_object_scope
from striate.foundation.explain import explaining, naming
from striate.foundation.names import numbered
from striate.foundation.nested import flatten
from striate.foundation.shapes import Shape
from striate.layers.holder import named_parts
from striate.layers.layer import Layer, registry
from striate.models.batch_trainer import BatchTrainer
from striate.models.config import graph_config, graph_from_config
from striate.models.graph import Graph
from striate.models.plan import Plan
from striate.models.saving import load_weights, model_to_json, save_model, save_weights
from striate.models.summary import Summary
from striate.ops.operation import Operation
from striate.training.loop import device_of
from striate.training.precision import computing_in, in_full

SHAPE_FIX = "Pass for example (None, 64, 64, 3)."


@registry.register("Functional")
class Model(BatchTrainer, Layer):
    """A network: layers between inputs and outputs, or a subclass with a `forward` of its own.

    It is a torch module: `model(x)`, `model.parameters()`, `model.to("cuda")` mean what they mean in torch, and
    it is a layer, which other models can contain.

    Args:
        inputs: A symbol (from `Input`), or a list or dict of symbols; left out by subclasses.
        outputs: What is to come out, in the same way.
        name: Made from the class name if left out.

    Raises:
        UserError: An output does not follow from the inputs, or two layers share a name.

    Example:
        >>> import torch
        >>> from striate.layers import Dense, Input
        >>> x = Input((4,))
        >>> model = Model(x, Dense(2)(x))
        >>> model(torch.zeros(3, 4)).shape
        torch.Size([3, 2])
    """

    def __init__(self, inputs: Any = None, outputs: Any = None, *, name: str | None = None, **options: Any) -> None:
        super().__init__(name=name, **options)
        self.graph: Graph | None = None
        self._held: list[str] = []
        if inputs is None and outputs is None:
            return
        self.adopt(Graph(inputs, outputs))

    def adopt(self, graph: Graph) -> None:
        """Take a graph's layers as this model's own."""
        self.graph = graph
        self.hold([layer for layer in graph.layers if not isinstance(layer, Operation)])
        self.built = True

    def hold(self, layers: list[Layer]) -> None:
        """Make torch see these layers under their names, in place of those held before.

        Raises:
            UserError: A layer has the name of another module that is an attribute of the model.
        """
        self.check_free(layers)
        before = {name: self._modules[name] for name in self._held if name in self._modules}
        for name in before:
            del self._modules[name]
        # add_module would refuse a layer called "name" or "graph"; the layer is found by get_layer all the same.
        for layer in layers:
            self._modules[_attribute(layer)] = layer
            if not self.trainable and layer not in before.values():
                layer.trainable = False
        self._held = [_attribute(layer) for layer in layers]

    def check_free(self, layers: list[Layer]) -> None:
        """Refuse layers whose name another module has that is an attribute of the model."""
        taken = {name: module for name, module in self._modules.items() if name not in self._held}
        for layer in layers:
            if taken.setdefault(_attribute(layer), layer) is not layer:
                needs = f"another name: the model has an attribute {_attribute(layer)!r} already"
                raise UserError(self.where, layer.where, needs, "Give the layer another name=.")

    @naming
    def forward(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        if self.graph is None:
            return super().forward(inputs, *args, **kwargs)
        return self.graph.run(inputs)

    @naming
    def compute_output_shape(self, input_shape: Any) -> Any:
        if self.graph is None:
            return super().compute_output_shape(input_shape)
        shapes = self.graph.shapes(input_shape)
        outputs = [shapes[id(symbol)] for symbol in self.graph.output_symbols]
        return outputs[0] if not isinstance(self.graph.outputs, list | tuple | dict) else outputs

    def _alone(self) -> list[torch.Tensor]:
        return [] if self.graph is None else self.graph.plan.alone()

    def _compute(self, *inputs: Any, **kwargs: Any) -> Any:
        """As torch: each layer inside has a precision of its own, or follows the one that `compile` was given."""
        if self._precision == "float32":
            return torch.nn.Module.__call__(self, *inputs, **kwargs)
        with computing_in(self._precision, device_of(self)):
            return in_full(torch.nn.Module.__call__(self, *inputs, **kwargs))

    def cast(self, value: Any) -> Any:
        """As any layer; where there are inputs, each has a dtype of its own."""
        if self.says_shape() and not self.takes_texts and any(isinstance(leaf, np.ndarray) for leaf in flatten(value)):
            fix = (
                "Begin with Input(shape=(1,), dtype='string') and TextVectorization, or turn words into numbers before."
            )
            raise UserError(self.where, "texts", "numbers", fix)
        return super().cast(value) if self.graph is None else value

    @property
    def takes_texts(self) -> bool:  # type: ignore[override]
        """Whether an input is declared to be texts."""
        return self.graph is not None and self.graph.takes_texts

    def _hand_on(self, inputs: Any, mask: Any, outputs: Any) -> None:
        """The layers inside have done it."""

    def says_shape(self) -> bool:
        return self.graph is not None

    def _prepare(self, input_shape: Any) -> None:
        """The layers of a subclass build themselves when the data reaches them, unless it has a `build` of its own."""
        if self.says_shape() or type(self).build is not Model.build:
            super()._prepare(input_shape)
        self.built = True

    def build(self, input_shape: Any = None) -> None:
        """Make the weights of a subclass by running it once on zeros; a first call on data does the same.

        Args:
            input_shape: One shape, N included, or a list or dict of shapes.

        Raises:
            UserError: It is none.
        """
        if input_shape is not None and (not isinstance(input_shape, list | tuple | dict) or not input_shape):
            raise UserError(f"{self.where}.build", f"input_shape={input_shape!r}", "a shape, N included", SHAPE_FIX)
        if not self.built and input_shape is not None:
            self.built, self.seen_shape = True, input_shape
            self.compute_output_shape(input_shape)

    def flops(self, input_shape: Any) -> int:
        return Summary(self, input_shape).flops or 0

    # Layers --------------------------------------------------------------------------------------

    @property
    def layers(self) -> list[Layer]:
        """The layers, inputs first."""
        return list(dict.fromkeys(part for _, part in named_parts(self) if isinstance(part, Layer)))

    @property
    def operations(self) -> list[Layer]:
        """The layers, and the operations on symbols between them, inputs first."""
        return self.layers if self.graph is None else self.graph.layers

    @explaining
    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """The layer of this name, or at this place.

        Raises:
            UserError: There is none; the nearest name is suggested.
        """
        layers = self.layers
        if index is not None:
            if not -len(layers) <= index < len(layers):
                raise UserError(self.where, f"index={index}", f"an index below {len(layers)}", "Count from 0.")
            return layers[index]
        for layer in layers:
            if layer.name == name:
                return layer
        names = [layer.name for layer in layers]
        raise UserError(self.where, f"name={name!r}", "the name of one of its layers", nearest(str(name), names))

    @property
    def weights(self) -> list[torch.Tensor]:
        """The weights in Keras's order: layer by layer, trainable ones first within each."""
        found = [weight for layer in self.layers for weight in layer.weights]
        others = [*self.parameters(), *self.buffers()]
        return list({id(weight): weight for weight in found + others}.values())

    @property
    def plan(self) -> Plan:
        """Which layers run as one kernel; `plan.describe()` says it in words."""
        return self._need_graph().plan

    @property
    def inputs(self) -> list[Any]:
        """The symbols of the inputs."""
        return self._need_graph().input_symbols

    @property
    def outputs(self) -> list[Any]:
        """The symbols of the outputs."""
        return self._need_graph().output_symbols

    @property
    def input(self) -> Any:
        """The input symbol, or the structure of them that the model was made with."""
        return self._need_graph().inputs

    @property
    def output(self) -> Any:
        """The output symbol, or the structure of them that the model was made with."""
        return self._need_graph().outputs

    @property
    def input_shape(self) -> Any:
        """The shape of the input, N included; a list for several."""
        return _one_or_list([symbol.shape for symbol in self.inputs])

    @property
    def output_shape(self) -> Any:
        """The shape of the output, N included; a list for several."""
        return _one_or_list([symbol.shape for symbol in self.outputs])

    @property
    def output_names(self) -> list[str]:
        """What the outputs are called in losses, metrics and logs: keys of a dict, or the last layers' names.

        Of several outputs of one layer the later ones are numbered, "age" and "age_1"; a subclass has no names.
        """
        if self.graph is None:
            return []
        if isinstance(self.graph.outputs, dict):
            return list(self.graph.outputs)
        return numbered(symbol.name for symbol in self.graph.output_symbols)

    def has_own_forward(self) -> bool:
        """Whether it is a subclass that computes by itself, not by a graph of layers."""
        own = type(self).forward is not Model.forward or hasattr(type(self), "call")
        return self.graph is None and own

    def _need_graph(self) -> Graph:
        if self.graph is None:
            got, needs, fix = "no input shape yet", "a known input shape for this", "Call build(input_shape)."
            if self.has_own_forward():
                got, needs = "a forward of its own", "a graph of layers for this: its forward runs them one by one"
                fix = "Make the model with Sequential([...]) or Model(inputs, outputs)."
            raise UserError(self.where, got, needs, fix)
        return self.graph

    # Looking and keeping -------------------------------------------------------------------------

    @explaining
    def summary(
        self,
        line_length: int | None = None,
        positions: list[float] | None = None,
        print_fn: Any = None,
        expand_nested: bool = False,
        show_trainable: bool = False,
        layer_range: Any = None,
    ) -> None:
        """Print the layers with output shapes, parameters, FLOPs, receptive fields and output bytes.

        Args:
            line_length: Width in characters; the terminal's if left out.
            print_fn: Takes the text instead of printing it.
            expand_nested: Show the layers of models inside, too.
            show_trainable: Show which layers training changes.
            positions, layer_range: Keras's; not supported.
        """
        for argument, value in {"positions": positions, "layer_range": layer_range}.items():
            if value is not None:
                fix = f"Leave {argument} out."
                raise UserError(f"{self.where}.summary", f"{argument}={value!r}", f"no {argument}", fix)
        view = Summary(self, expand_nested=expand_nested, show_trainable=show_trainable)
        if print_fn is None:
            view.show(line_length)
        else:
            print_fn(view.text(line_length))

    @naming
    def save(
        self, filepath: str | os.PathLike[str], overwrite: bool = True, include_optimizer: bool = True, **unknown: Any
    ) -> None:
        """Write the model to a `.keras` file that real Keras opens too.

        Args:
            filepath: Ends in .keras.
            overwrite: Whether a file that is there may be replaced.
            include_optimizer: Whether what `compile` chose and the optimizer's state go along.

        Raises:
            UserError: The name does not end in .keras, the file may not be replaced, or a layer cannot be saved.
        """
        save_model(self, filepath, overwrite=overwrite, include_optimizer=include_optimizer, **unknown)

    def to_json(self, **options: Any) -> str:
        """The layers, without weights, as text for `model_from_json`; options as of json.dumps."""
        return model_to_json(self, **options)

    @naming
    def save_weights(self, filepath: str | os.PathLike[str], overwrite: bool = True) -> None:
        """Write the weights alone: to a .safetensors file, or a .weights.h5 file as Keras writes it."""
        save_weights(self, filepath, overwrite=overwrite)

    @naming
    def load_weights(self, filepath: str | os.PathLike[str], **unknown: Any) -> None:
        """Read weights from a file; all of them or, on error, none.

        Args:
            filepath: A .safetensors, .weights.h5 or .keras file, or an .h5 file of Keras 2 or `keras.applications`.
            by_name: For such an .h5 file: only the layers whose names are in both.
            skip_mismatch: For such an .h5 file: leave out weights of another shape, with a warning.
        """
        load_weights(self, filepath, **unknown)

    def config(self) -> dict[str, Any]:
        return {} if self.has_own_forward() else graph_config(self._need_graph())

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Mapping[str, Any] | None = None) -> "Model":
        """The model that `get_config` described, with new weights.

        Args:
            custom_objects: Names in it to classes of your own.
        """
        with custom_object_scope(custom_objects):
            return cls(**graph_from_config(config))

    def _repr_html_(self) -> str:
        return Summary(self).html()


def _attribute(layer: Layer) -> str:
    """What torch knows a layer as; its own names of weights have dots between the layers."""
    return layer.name.replace(".", "_")


def _one_or_list(shapes: list[Shape]) -> Any:
    return shapes[0] if len(shapes) == 1 else shapes
