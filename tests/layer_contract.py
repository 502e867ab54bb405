"""What every layer keeps, whatever it computes. `tests/layers/test_contract.py` holds one row for each layer."""

import copy
import json
from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import pytest
import torch

from striate.foundation.checks import UnsupportedError, UserError
from striate.layers.layer import Layer, registry
from striate.layers.options import KERAS_DEFAULTS


class Example(NamedTuple):
    """A layer, what makes it (other examples among it), the shape (or shapes) of its input, and shapes it refuses.

    With each refused shape goes what the layer then says that it needs.
    """

    layer: str
    arguments: dict[str, Any] = {}  # noqa: RUF012 - never changed
    shape: Any = (2, 6, 6, 3)
    refused: tuple[tuple[Any, str], ...] = ()
    values: Callable[[tuple[int, ...]], torch.Tensor] = torch.rand

    def make(self, **more: Any) -> Layer:
        arguments = {name: v.make() if isinstance(v, Example) else v for name, v in self.arguments.items()}
        return registry.classes[self.layer](**{**arguments, **more})

    def inputs(self, shape: Any = None) -> Any:
        made = shapes(self.shape if shape is None else shape, self.values)
        for array in made if isinstance(made, list) else [made]:
            array.requires_grad_(array.is_floating_point())
        return made

    def built(self, **more: Any) -> tuple[Layer, Any, torch.Tensor]:
        layer, inputs = self.make(**more), self.inputs()
        return layer, inputs, layer(inputs)


def shapes(shape: Any, change: Any) -> Any:
    """What `change` makes of a shape, or of each in a list."""
    return [change(one) for one in shape] if isinstance(shape, list) else change(shape)


def check_builds_once_and_gives_the_shape_it_says(example: Example) -> None:
    layer, builds, inputs = example.make(), [], example.inputs()
    build = layer.build
    layer.build = lambda shape: (builds.append(shape), build(shape))[-1]
    output = layer(inputs)
    torch.testing.assert_close(layer(inputs), output, rtol=0, atol=0)
    assert (layer.built, len(builds)) == (True, example.layer != "InputLayer")
    shape = shapes(example.shape, lambda one: (None, *one[1:]))
    assert {tuple(one.compute_output_shape(shape)) for one in (layer, example.make())} == {(None, *output.shape[1:])}


def check_gradient_reaches_inputs_and_weights(example: Example) -> None:
    layer, inputs, _ = example.built()
    for weight in layer.trainable_weights:
        weight.detach().uniform_(0.1, 1.0)  # away from zeros, through which no gradient comes
    wanted = [*(inputs if isinstance(inputs, list) else [inputs]), *layer.trainable_weights]
    wanted = [tensor for tensor in wanted if tensor.requires_grad]
    gradients = torch.autograd.grad((layer(inputs, training=True) + 1).pow(3).sum(), wanted)
    assert all(gradient.abs().sum() > 0 for gradient in gradients)


def check_config_makes_the_same_layer_here_and_in_keras(example: Example) -> None:
    config = json.loads(json.dumps(example.make(name="chosen").get_config()))
    for cls in (registry.classes[example.layer], getattr(keras.layers, example.layer)):
        theirs = json.loads(json.dumps(cls.from_config(copy.deepcopy(config)).get_config()))  # Keras takes parts out
        assert json.loads(json.dumps(registry.classes[example.layer].from_config(theirs).get_config())) == config


def check_copies_compute_the_same(example: Example) -> None:
    layer, inputs, expected = example.built()
    fresh = example.make()
    fresh.ensure_built(example.shape)
    fresh.load_state_dict(layer.state_dict())
    for twin in (copy.deepcopy(layer), fresh):
        torch.testing.assert_close(twin(inputs), expected, rtol=0, atol=0)
        assert all(one is not other for one, other in zip(twin.weights, layer.weights, strict=True))


def check_wrong_shapes_and_arguments_are_refused(example: Example) -> None:
    for shape, needs in example.refused:
        text = rf"^{example.layer} 'mine' got shape .+; it needs .*{needs}.*\. [A-Z].+\.$"
        for refuse in (lambda layer: layer(example.inputs(shape)), lambda layer: layer.compute_output_shape(shape)):  # noqa: B023
            with pytest.raises(UserError, match=text):
                refuse(example.built(name="mine")[0])
    with pytest.raises(UserError, match=rf"^{example.layer} got an unknown argument nmae='x'.* Did you mean 'name'\?$"):
        example.make(nmae="x")
    for argument in set(KERAS_DEFAULTS) & set(getattr(keras.layers, example.layer).__init__.__code__.co_varnames):
        example.make(**{argument: KERAS_DEFAULTS[argument]})
        with pytest.raises(UnsupportedError, match=rf"^{example.layer} got {argument}='x'; .* Leave {argument} out\.$"):
            example.make(**{argument: "x"})


def check_inference_changes_nothing(example: Example) -> None:
    layer, inputs, _ = example.built()
    before, random = copy.deepcopy(layer.state_dict()), torch.get_rng_state()
    for training in (True, False):
        layer.train(training)(inputs, training=False)
        assert layer.training == training
    assert torch.equal(torch.get_rng_state(), random)
    assert all(torch.equal(before[key], value) for key, value in layer.state_dict().items())
    layer(inputs, training=True)
    assert not layer.training


CHECKS = [check for name, check in list(globals().items()) if name.startswith("check_")]
