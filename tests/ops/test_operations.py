"""What is not Keras's torch backend's: refusals, gradients, and where NumPy is the oracle."""

import numpy as np
import pytest
import torch
from ops.op_cases import floats, shares, whole

from striate import ops
from striate.foundation.checks import UnsupportedError, UserError
from striate.layers import Conv2D, Dense, Input, Layer
from striate.models import Sequential

F = floats(2, 3, 4)


def test_count_nonzero_counts():
    x = whole(2, 3, 4)
    for axis in (None, 0, (0, 2)):
        np.testing.assert_array_equal(ops.count_nonzero(x, axis), np.count_nonzero(x, axis))
    assert ops.count_nonzero(x).dtype == torch.int32


@pytest.mark.parametrize("axis", [None, 1, (0, 2)])
def test_average_weighs_as_numpy_does(axis):
    weights = shares(2, 3, 4)
    np.testing.assert_allclose(ops.average(F, axis, weights), np.average(F, axis, weights), rtol=1e-6)


@pytest.mark.parametrize("name", ["take", "take_along_axis"])
def test_negative_places_count_from_the_end_of_the_flattened_array(name):
    np.testing.assert_array_equal(getattr(ops, name)(F, [-1, 0]), getattr(np, name)(F, np.array([-1, 0]), axis=None))


@pytest.mark.parametrize("mode", ["reflect", "symmetric", "edge"])
@pytest.mark.parametrize("pad_width", [2, (1, 5), ((0, 3), (4, 0), (7, 9))])
def test_pad_pads_as_numpy_does(mode, pad_width):
    np.testing.assert_array_equal(ops.pad(F, pad_width, mode), np.pad(F, pad_width, mode))


def test_transpose_turns_the_axes_round():
    np.testing.assert_array_equal(ops.transpose(F), F.T)


def test_long_whole_numbers_stay_long():
    x = np.array([2**40, 2])
    assert ops.sum(x) == 2**40 + 2
    assert ops.prod(x) == 2**41
    assert ops.cumsum(x).tolist() == [2**40, 2**40 + 2]


def test_linspace_of_arrays():
    start, stop = floats(3), floats(3, seed=5)
    np.testing.assert_allclose(ops.linspace(start, stop, 6), np.linspace(start, stop, 6), atol=1e-6)
    np.testing.assert_allclose(
        ops.linspace(start, stop, 6, endpoint=False), np.linspace(start, stop, 6, False), atol=1e-6
    )


def test_layer_normalization_along_another_axis():
    gamma, beta = floats(3), floats(3, seed=4)
    x = torch.tensor(F)
    expected = torch.nn.functional.layer_norm(x.mT, (3,), torch.tensor(gamma), torch.tensor(beta), 1e-3).mT
    torch.testing.assert_close(ops.layer_normalization(x, gamma, beta, axis=1, epsilon=1e-3), expected)


@pytest.mark.parametrize(("size", "pool", "strides"), [(5, 2, 2), (6, 3, 2), (7, 4, 3)])
def test_average_pool_leaves_padded_cells_out(size, pool, strides):
    x = floats(size).tolist()
    count = -(-size // strides)
    before = max((count - 1) * strides + pool - size, 0) // 2
    starts = [place * strides - before for place in range(count)]
    expected = [np.mean(x[max(start, 0) : start + pool]) for start in starts]
    got = ops.average_pool(np.float32(x)[None, :, None], pool, strides, "same")
    np.testing.assert_allclose(got.flatten(), expected, rtol=1e-5)


def test_attention_leaves_out_what_the_mask_says():
    query, key, value = (torch.tensor(floats(1, 3, 2, 4, seed=seed)) for seed in range(3))
    mask = np.array([[[[True, False, False]] * 3] * 2])
    torch.testing.assert_close(ops.dot_product_attention(query, key, value, mask=mask), value[:, :1].expand(1, 3, 2, 4))


def test_empty_arrays_have_shape_and_dtype():
    assert ops.empty((2, 3), "int32").dtype == torch.int32
    assert ops.empty_like(F).shape == F.shape
    assert ops.dtype(F) == "float32"
    assert not ops.is_tensor(F)
    assert ops.is_tensor(ops.copy(F))


def test_gradients_flow_and_stop():
    x = torch.ones(3, requires_grad=True)
    ops.sum(ops.square(x) * ops.stop_gradient(x)).backward()
    assert x.grad.tolist() == [2.0, 2.0, 2.0]


def test_operations_serve_in_layers_and_for_looking_inside():
    class Scaled(Layer):
        def call(self, inputs):
            return ops.relu(inputs - ops.mean(inputs, axis=-1, keepdims=True))

    model = Sequential([Input((8, 8, 3)), Conv2D(4, 3), Scaled()])
    assert model.output_shape == (None, 6, 6, 4)
    assert model.predict(floats(2, 8, 8, 3), verbose=0).shape == (2, 6, 6, 4)


def test_weights_of_layers_are_arrays():
    layer = Dense(2)
    layer.build((None, 4))
    assert ops.convert_to_numpy(layer.kernel).shape == (4, 2)


@pytest.mark.parametrize(
    ("name", "args", "text"),
    [
        (
            "mean",
            ([1.0], 3),
            r"ops.mean got x=.*, axis=3; it needs what it can compute with \(there is no axis 3 among 1\)",
        ),
        ("matmul", (F, F), r"ops.matmul got x1=a float32 .* of shape \(2, 3, 4\), x2=.*; it needs what it can"),
        ("relu", (["a"],), r"ops.relu got a list that is no array"),
        ("relu", ("text",), r"ops.relu got a str that is no array"),
        ("cast", (F, "flot32"), r"ops.cast got dtype='flot32'; .* Did you mean 'float32'\?"),
        ("squeeze", (F, 1), r"ops.squeeze got axis=1 of shape \(2, 3, 4\); it needs axes of one"),
        ("split", (F, 2, 1), r"ops.split got indices_or_sections=2 for 3 along axis 1; .* Use array_split"),
        (
            "pad",
            (F, ((1, 1), (2, 2))),
            r"ops.pad got pad_width=.*; it needs a pair of numbers of at least 0 for each of 3",
        ),
        ("pad", (F, 1, "reflect", 3.0), r"ops.pad got constant_values with mode='reflect'"),
        ("pad", (F, 1, "wrap"), r"ops.pad got mode='wrap'; it needs one of 'constant'"),
        ("conv", (F[0], F), r"ops.conv got shape \(3, 4\); it needs \(N, L, C\)"),
        ("conv", (F, floats(3, 4)), r"ops.conv got a kernel of shape \(3, 4\); it needs 1 sizes, channels in and"),
        ("conv", (F, floats(2, 3, 5)), r"ops.conv got 4 channels and a kernel for 3"),
        ("max_pool", (F, 0), r"ops.max_pool got pool_size=0; it needs a whole number of at least 1"),
        (
            "categorical_crossentropy",
            (F, F[0]),
            r"ops.categorical_crossentropy got target of shape \(2, 3, 4\) and output",
        ),
        ("sparse_categorical_crossentropy", (F, F), r"it needs one class number for every row of output"),
        ("average", (F, None, [1.0, 2.0]), r"ops.average got weights of shape \(2,\) for x of shape \(2, 3, 4\)"),
        ("bincount", (F,), r"ops.bincount got shape \(2, 3, 4\); it needs one axis"),
        ("dot_product_attention", (F, F, F), r"it needs \(N, steps, heads, features\)"),
    ],
)
def test_refusals(name, args, text):
    with pytest.raises(UserError, match=text):
        getattr(ops, name)(*args)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: ops.convert_to_tensor(F, sparse=True), r"ops.convert_to_tensor got sparse=True; .* Leave sparse out"),
        (lambda: ops.one_hot([1], 2, sparse=True), "ops.one_hot got sparse=True"),
        (lambda: ops.moments(F, 0, synchronized=True), "ops.moments got synchronized=True"),
        (lambda: ops.unique(F, size=3), "ops.unique got size=3; it needs no size"),
        (lambda: ops.linspace(0, 1, axis=1), "ops.linspace got axis=1; it needs axis=0. Use moveaxis"),
        (lambda: ops.scatter_update(F, [[0, 0, 0]], [1.0], "max"), "ops.scatter_update got reduction='max'"),
        (lambda: ops.image.affine_transform(F, np.zeros(8), fill_mode="mirror"), "got fill_mode='mirror'"),
    ],
)
def test_what_keras_has_and_striate_has_not(call, text):
    with pytest.raises(UnsupportedError, match=text):
        call()


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: ops.image.resize(F[0], 3), r"ops.image.resize got shape \(3, 4\); it needs pictures \(N, H, W, C\)"),
        (lambda: ops.image.resize(F, 3, "lanczos"), "ops.image.resize got interpolation='lanczos'"),
        (lambda: ops.image.rgb_to_hsv(F), "ops.image.rgb_to_hsv got 4 channels; it needs 3"),
        (
            lambda: ops.image.pad_images(F, 1),
            "ops.image.pad_images got 1 of them; it needs two of both sides and target",
        ),
        (
            lambda: ops.image.crop_images(F, 5, 0, target_height=1, target_width=2),
            "got one side=-4; it needs a whole number of at least 0",
        ),
        (lambda: ops.image.affine_transform(F, np.ones(8)), "with a perspective; it needs 8 numbers, the last two 0"),
    ],
)
def test_refusals_of_pictures(call, text):
    with pytest.raises(UserError, match=text):
        call()


def test_names_nobody_has_are_attribute_errors():
    with pytest.raises(AttributeError, match=r"'striate.ops' got 'maen'; .* Did you mean 'mean'"):
        _ = ops.maen
