"""The contract that every layer keeps."""

import functools
import warnings
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np
import torch

from striate.foundation.checks import UserError, check_flag, check_int, refuse_unknown
from striate.foundation.explain import explaining, is_ours, naming
from striate.foundation.names import snake_case, unique_name
from striate.foundation.nested import flatten, map_structure, pack
from striate.foundation.registry import Registry
from striate.foundation.shapes import LETTERS, Window
from striate.layers import regularizers
from striate.layers.building import building
from striate.layers.likeness import likeness, untraced
from striate.layers.loss_adder import LossAdder, begin_pass, end_pass, forward_pass
from striate.layers.masks import mask_of, put_mask
from striate.layers.options import KERAS_DEFAULTS, argument_names, arguments_of, check_item_shape, check_name
from striate.layers.precise import dtype_after
from striate.layers.readable import check_numbers
from striate.layers.structure import as_modules, as_tensor, describe_all, is_shape, shape_of
from striate.layers.symbol import Node, ShapeError, Symbol, check_call, in_context, replace_symbols, symbols_in
from striate.layers.trial import shape_by_trial


class Layer(LossAdder):
    """What a network is made of: a torch module that knows shapes before data comes.

    A layer reads in one order: `__init__` (checks only), `build(input_shape)` (makes the weights),
    `forward(x)`, `compute_output_shape(input_shape)` (checks the shape, too), `config()`. Called on a `Symbol` it
    records a node; called on an array it builds itself if need be, and computes.

    Layers compute as in inference until told otherwise (`train()`, `training=True`, or `fit`), as Keras's do.

    Args:
        name: Unique within a model; made from the class name if left out.
        trainable: Whether training changes the weights.
        dtype: The dtype of the weights and of what is computed, or a policy such as "mixed_bfloat16"; the global
            policy, "float32" unless told otherwise, if left out.
        activity_regularizer: Penalty on what comes out of a call, divided by N, which is added to the loss.
        input_shape: For the first layer of a `Sequential`: the shape of one item, without N.
            Keras 2's input_dim=4 stands for input_shape=(4,).

    Example:
        >>> import torch
        >>> class Scale(Layer):
        ...     def build(self, input_shape):
        ...         self.factor = self.add_weight(shape=(input_shape[-1],), initializer="ones")
        ...     def forward(self, x):
        ...         return x * self.factor
        >>> Scale()(torch.ones(2, 3)).shape
        torch.Size([2, 3])
    """

    # How many axes the input has, N included; None where any number will do.
    rank: ClassVar[int | None] = None
    # Whether texts, complex numbers and sparse tensors are refused. Not so in layers of one's own: they may read them.
    only_numbers: ClassVar[bool] = False
    # Whether the output brings a mask along; else the input's ends here.
    supports_masking: bool = False
    seen_shape: Any = None  # of the last input that came
    # What Keras's files note as `training` of a call that did not say it: the default of its own layer's call.
    noted_training: ClassVar[bool | None] = None
    # Whether texts come in, and no numbers.
    takes_texts: bool = False
    _building: bool = False

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "build" in vars(cls):
            cls.build = building(vars(cls)["build"])  # type: ignore[method-assign]
        if "__init__" in vars(cls) and is_ours(cls.__module__):
            cls.__init__ = explaining(vars(cls)["__init__"])  # type: ignore[method-assign]

    def __init__(
        self,
        *,
        name: str | None = None,
        trainable: bool = True,
        dtype: Any = None,
        activity_regularizer: Any = None,
        input_shape: tuple[int | None, ...] | None = None,
        **unknown: Any,
    ) -> None:
        kind = type(self).__name__
        super().__init__(check_flag(kind, "trainable", trainable))
        self.training = False
        input_dim = unknown.pop("input_dim", None)
        refuse_unknown(kind, unknown, argument_names(type(self)), KERAS_DEFAULTS)
        self.name = check_name(kind, name) or unique_name(snake_case(kind))
        self.set_policy(dtype)
        self.set_activity_regularizer(activity_regularizer)
        if input_dim is not None:
            if input_shape is not None:
                raise UserError(self.where, "input_dim and input_shape", "one of them", "Leave input_dim out.")
            input_shape = (check_int(self.where, "input_dim", input_dim),)
        self.declared_shape = None if input_shape is None else check_item_shape(self.where, input_shape)
        self.built = False
        self.nodes: list[Node] = []
        self._accepted: tuple[Any, Any] | None = None

    # What a layer writes -------------------------------------------------------------------------

    @building
    def build(self, input_shape: Any) -> None:
        """Make the weights for inputs of this shape; called once, before the first `forward`."""

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Compute. Keras's name for it, `call`, serves as well."""
        call = getattr(self, "call", None)
        if call is None:
            raise UserError(self.where, "a call", "a forward method", "Write forward(self, x) in the class.")
        if self._takes("training"):
            kwargs.setdefault("training", self.training)
        return call(*args, **kwargs)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape that comes out for one that goes in; raises `ShapeError` for one that may not go in.

        A layer that does not say it is run on zeros to see.
        """
        if not self.built:
            self.build(input_shape)
        self.seen_shape, self._usual = input_shape, None
        return self.try_shape(input_shape)

    def try_shape(self, input_shape: Any) -> Any:
        """The shape that comes out when the layer is run on zeros, in inference mode."""
        forward = self.forward
        if self._takes("training"):
            forward = functools.partial(forward, training=False)
        return shape_by_trial(self, forward, input_shape)

    def config(self) -> dict[str, Any]:
        """The arguments that make the same layer again, without those that every layer has."""
        return {}

    @naming
    def compute_mask(self, inputs: Any, mask: Any) -> Any:
        """The mask of the output, for a layer with `supports_masking`; None where every step counts.

        Args:
            inputs: What came in.
            mask: The mask it brought along: (N, steps), True where a step counts; or None.
        """
        return mask

    def takes_over(self, before: Sequence["Layer"]) -> bool:
        """Whether this layer can do the work of the layers that come right before it in a network, too.

        They are not called then, but given to `forward` as its argument `after`.
        """
        return False

    def window(self) -> Window | None:
        """The sliding window of a spatial layer, from which receptive fields follow."""
        return None

    def flops(self, input_shape: Any) -> int:
        """Multiplications and additions for one item; 0 for layers that only move or compare numbers."""
        return 0

    # What every layer has ------------------------------------------------------------------------

    @property
    def kind(self) -> str:
        """What kind of layer it is, for errors and summaries: the name of its class."""
        return type(self).__name__

    @property
    def where(self) -> str:
        """How errors name this layer: Conv2D 'conv2d_1'."""
        return f"{self.kind} {self.name!r}"

    def refuse_shape(self, shape: Any, needs: str, fix: str) -> ShapeError:
        """The error for a shape that may not go in."""
        return ShapeError(self.where, f"shape {describe_all(shape)}", needs, fix)

    def check_rank(self, input_shape: Any, note: str = "") -> None:
        """Refuse an input that does not have the axes this layer works on."""
        if self.rank is not None and (not is_shape(input_shape) or len(input_shape) != self.rank):
            fix = "Put it where its input has these axes."
            raise self.refuse_shape(input_shape, LETTERS[self.rank] + note, fix)

    def __call__(self, *args: Any, training: bool | None = None, **kwargs: Any) -> Any:
        """Compute on arrays, or record a node on symbols.

        Args:
            training: Whether layers such as Dropout and BatchNormalization act as in training, for this call. A call
                on symbols says it for whenever the network is called without `training`; `fit`, `evaluate` and
                `predict` always say it.
        """
        plain = training is None and len(args) == 1 and not kwargs
        if plain and self.built and self._usual is not None and likeness(args[0]) == self._usual:
            token = begin_pass(self)  # as forward_pass does, which costs more
            try:
                outputs = self._compute(args[0])
            finally:
                end_pass(token)
            self._hand_on(args[0], None, outputs)
            return outputs
        if symbols_in((args, kwargs)):
            return self._record(args, kwargs if training is None else {**kwargs, "training": training})
        mask = mask_of(args[0]) if args and kwargs.get("mask") is None else kwargs.get("mask")
        inputs = tuple(self.cast(as_tensor(value, self.dtype, self.where)) for value in args)
        if self.only_numbers:
            check_numbers(self.where, inputs)
        kwargs = {name: self.cast_floats(as_tensor(value, self.dtype)) for name, value in kwargs.items()}
        with untraced():
            shape = shape_of(inputs[0], self.where) if inputs else None
            if shape != self.seen_shape:
                self.seen_shape = shape
            self._prepare(shape)
        if self._takes("training"):
            kwargs["training"] = self.training if training is None else training
        if mask is not None and self._takes("mask"):
            kwargs["mask"] = mask
        with forward_pass(self, training):
            outputs = self._compute(*inputs, **kwargs)
        self._hand_on(inputs[0] if inputs else None, mask, outputs)
        self._usual = self._asks_nothing(args[0]) if plain and not kwargs else None
        return outputs

    def _asks_nothing(self, value: Any) -> Any:
        """The `likeness` of an input for which the next call need only compute; None where there is more to do."""
        kind = likeness(value)
        parts = kind if isinstance(kind, list) else [kind]
        return kind if all(isinstance(part, tuple) and self.keeps(part[1]) for part in parts) else None

    def _takes(self, argument: str) -> bool:
        """Whether `forward`, or the `call` in its place, has this argument."""
        return argument in arguments_of(getattr(type(self), "call", type(self).forward))

    def _hand_on(self, inputs: Any, mask: Any, outputs: Any) -> None:
        """Give the outputs the mask that they are to bring along."""
        if self.supports_masking:
            put_mask(outputs, self.compute_mask(inputs, mask))
        elif mask is not None and not self._takes("mask"):
            text = f"{self.where} got a mask (of steps that count) and neither uses it nor hands it on."
            warnings.warn(text, stacklevel=3)

    def ensure_built(self, input_shape: Any) -> Any:
        """Check the input's shape, make the weights if there are none yet, and return the output's shape."""
        if self._accepted is not None and self._accepted[0] == input_shape:
            return self._accepted[1]
        output = self.compute_output_shape(input_shape)
        if not self.built:
            self.build(input_shape)
        self._accepted = (input_shape, output)
        return output

    def _prepare(self, input_shape: Any) -> None:
        """As `ensure_built`, for a call on arrays: layers that do not say their output's shape skip the trial."""
        if self.says_shape():
            self.ensure_built(input_shape)
        elif not self.built:
            self.build(input_shape)

    def __setattr__(self, name: str, value: Any) -> None:
        if "training" in vars(self):
            if isinstance(value, list | tuple | dict) and not name.startswith("_") and not hasattr(type(self), name):
                value = as_modules(value, type(self).__name__) or value  # else torch would not see what is inside
            if isinstance(value, torch.nn.Module):
                value.train(self.training)  # torch's own modules begin in training mode
        begins = name == "built" and value and not vars(self).get("built", True)
        super().__setattr__(name, value)
        if begins:
            self._take_in()

    def _take_in(self) -> None:
        """See to what was put inside since `__init__`: lists that were filled bit by bit, layers to freeze."""
        for name, value in list(vars(self).items()):
            if isinstance(value, list | dict):
                setattr(self, name, value)
        if not self._trainable:
            self.trainable = False

    def says_shape(self) -> bool:
        """Whether `compute_output_shape` answers without running the layer."""
        return type(self).compute_output_shape is not Layer.compute_output_shape

    def _apply(self, fn: Callable[[torch.Tensor], torch.Tensor], recurse: bool = True) -> "Layer":
        """Where torch's to(), double(), cuda() arrive: dtypes on record follow the weights."""
        super()._apply(fn, recurse)
        self._follow_weights(fn)
        for symbol in symbols_in([node.outputs for node in self.nodes]):
            symbol.dtype = dtype_after(symbol.dtype, fn)
        return self

    @property
    def input(self) -> Any:
        """The symbol that this layer was called on; for one that was called exactly once."""
        args = self._only_node().args
        return args[0] if len(args) == 1 else list(args)

    @property
    def output(self) -> Any:
        """The symbol that this layer made; for one that was called exactly once."""
        return self._only_node().outputs

    def get_config(self) -> dict[str, Any]:
        """The arguments that make the same layer again, as Keras files hold them."""
        name = {"name": self.dtype_policy.name}
        policy = {"module": "keras", "class_name": "DTypePolicy", "config": name, "registered_name": None}
        config = {"name": self.name, "trainable": self._trainable, "dtype": policy, **self.config()}
        if self.activity_regularizer is not None:
            config["activity_regularizer"] = regularizers.serialize(self.activity_regularizer)
        return map_structure(lambda value: value.item() if isinstance(value, np.generic) else value, config)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Layer":
        """The layer that `get_config` described, with new weights."""
        return cls(**config)

    def _only_node(self) -> Node:
        if len(self.nodes) != 1:
            needs = "to have been called on exactly one symbol for this"
            raise UserError(self.where, f"{len(self.nodes)} calls", needs, "Keep the symbol that the call returned.")
        return self.nodes[0]

    def _record(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Make a node and the symbols that come out of it."""
        check_call(self.where, getattr(type(self), "call", type(self).forward), (self, *args), kwargs)
        first = symbols_in((args, kwargs))[0]
        shapes = replace_symbols(args[0] if args else first, lambda symbol: symbol.shape)
        try:
            output = self.ensure_built(shapes)
        except ShapeError as error:
            raise in_context(error, first, self.rank) from None
        node = Node(self, args, kwargs)
        dtype = self.output_dtype(first.dtype)
        if is_shape(output):
            node.outputs = Symbol(output, dtype, node)
        else:
            shapes = flatten(output, is_leaf=is_shape)
            made = [Symbol(shape, dtype, node, index) for index, shape in enumerate(shapes)]
            node.outputs = pack(list(output), made, is_leaf=is_shape)
        self.nodes.append(node)
        return node.outputs

    def output_dtype(self, dtype: str) -> str:
        """The dtype that comes out for one that goes in."""
        return self.compute_dtype


registry: Registry[Layer] = Registry("layer", "keras.layers", Layer)
