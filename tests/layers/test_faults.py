"""What torch cannot compute for a layer is said in words; what the user's own code raises is passed on."""

import numpy as np
import pytest
import torch

from striate import layers
from striate.foundation.checks import UserError
from striate.initializers import Initializer
from striate.layers import BatchNormalization, Dense, Layer, ReLU
from striate.models import Sequential

TRUTHS, PICTURE, ROW = torch.ones(2, 6, dtype=torch.bool), torch.ones(1, 4, 4, 3), torch.ones(2, 6)
HUGE = r"which is [\d,.]+ GiB; it needs as much memory, which this machine does not have\."


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: ReLU(name="r")(TRUTHS), r"^relu in ReLU 'r' got x=a bool Tensor of .*\(Boolean .* numbers of x with"),
        (lambda: layers.Subtract(name="s")([TRUTHS] * 2), r"^Subtract 's' got inputs=\[a bool .* of inputs with float"),
        (lambda: layers.RepeatVector(2**62, name="r")(ROW), r"^RepeatVector 'r' got an input of .*" + HUGE),
        (lambda: layers.Resizing(2**40, 2**40)(PICTURE), r"^Resizing '\w+' got an input of .*" + HUGE),
        (lambda: layers.ZeroPadding2D(2**30)(PICTURE), r"^ZeroPadding2D '\w+' got an input of .*" + HUGE),
        (lambda: Dense(2**62)(ROW), r"^Dense '\w+' got a weight of .*" + HUGE),
        (lambda: Layer().compute_output_shape((1, 2**40, 2**40)), r"^Layer got an input of .*" + HUGE),
        (lambda: layers.ELU(name="e")(ROW, mask=3), r"^ELU 'e' got an unknown argument mask=3; it needs"),
        (lambda: Dense(2, name="d")(), r"^Dense 'd' got shape None; it needs \(N, \.\.\., C\)"),
        (
            lambda: layers.GRU(2, name="g")(torch.ones(2, 6, 4), mask=3),
            r"^GRU 'g' got sequences=a .*, mask=3; it needs",
        ),
        (
            lambda: BatchNormalization(name="b")(ROW, mask="x"),
            r"^BatchNormalization 'b' got x=a .*, mask='x'; it needs",
        ),
        (lambda: Dense(2, name="d")(ROW, training=1), r"^Dense 'd' got training=1; it needs True or False\."),
        (lambda: Dense(2, name="d").build("x"), r"^Dense 'd'\.build got input_shape='x'; it needs what it can compute"),
        (
            lambda: Dense(2, dtype="int32")(ROW),
            r"^Dense '\w+' got a weight of int32 that is to be trained; it needs fl",
        ),
        (
            lambda: layers.Activation(lambda: 1, name="a")(ROW),
            r"^Activation 'a' got x=a .* takes 0 positional argument",
        ),
        (lambda: Dense(), r"^Dense got a wrong call \(missing .* 'units'\); it needs the arguments units, activation"),
        (lambda: layers.LSTMCell(2, weights=3), r"^LSTMCell got .*multiple values for argument 'weights'"),
        (lambda: layers.LSTM(2, use_cudnn=np.zeros(2)), r"^LSTM '\w+' got use_cudnn=array.*; it needs 'auto', True or"),
        (lambda: layers.UpSampling2D(interpolation=np.zeros(2)), r"^UpSampling2D '\w+' got interpolation=array.*; it"),
        (
            lambda: layers.TextVectorization(output_mode=[1]),
            r"^TextVectorization '\w+' got output_mode=\[1\]; it needs",
        ),
        (
            lambda: layers.TextVectorization(name="t")(["a"], mask=1),
            r"^TextVectorization 't' got an unknown argument mask=1",
        ),
        (lambda: Layer().compute_output_shape("x"), r"^Layer got input_shape='x'; it needs a shape, N included"),
        (
            lambda: layers.InputLayer((3,)).compute_output_shape(3),
            r"^InputLayer '\w+' got shape 3; it needs \(None, 3\)",
        ),
    ],
)
def test_what_layers_stumble_over_is_said_in_words(call, text):
    with pytest.raises(UserError, match=text):
        call()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_average_pooling_of_volumes_in_half_precision(dtype):
    layer, x = layers.AveragePooling3D(2, dtype=dtype, name="a"), torch.ones(1, 2, 2, 2, 1)
    text = rf"^AveragePooling3D 'a' got x=a {dtype} Tensor of shape .* or compute with dtype='float32'\.$"
    try:
        torch.nn.functional.avg_pool3d(x.to(getattr(torch, dtype)), 1)
    except RuntimeError:
        with pytest.raises(UserError, match=text):
            layer(x)
    else:
        assert layer(x).item() == 1


def test_errors_of_a_layer_of_ones_own_are_its_own():
    class Mine(Layer):
        def forward(self, x):
            return x.reshape(7)

    for layer, x in ((Mine(), torch.ones(2)), (Sequential([Dense(2), Mine()]), torch.ones(2, 3))):
        with pytest.raises(RuntimeError, match="shape") as caught:
            layer(x)
        assert not isinstance(caught.value, UserError)


def test_a_layer_that_was_refused_can_be_built_right():
    layer = Dense(2)
    with pytest.raises(UserError):
        layer.build("x")
    assert layer.weights == []
    assert layer(ROW).shape == (2, 2)


def test_only_what_failed_for_want_of_memory_is_too_large():
    with pytest.raises(UserError, match="unknown argument foo=1"):
        Dense(1024)(torch.zeros(70000, 1024), foo=1)

    class Own(Initializer):
        def __call__(self, shape, **options):
            raise TypeError("my own bug")

    with pytest.raises(TypeError, match="my own bug"):
        Dense(10_000, kernel_initializer=Own()).build((None, 10_000))
