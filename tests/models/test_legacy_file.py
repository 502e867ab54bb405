"""The .h5 weight files of older Keras: what real Keras makes of them, or refused by the name of the layer."""

import functools
import warnings
from pathlib import Path

import h5py
import hypothesis
import keras
import numpy as np
import pytest
from hypothesis import strategies as st
from keras.src.legacy.saving import legacy_h5_format
from model_files import assert_same_outputs, keras_predict

from striate import layers, models
from striate.foundation.checks import UnsupportedError, UserError
from striate.models import load_model, weights_file

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")

HERE = type("striate", (), {"layers": layers, "models": models})


def stir(model, seed=0):
    """Weights that keep what a deep network computes within bounds; those of one axis may be variances."""
    random = np.random.default_rng(seed)
    model.set_weights(
        [
            (
                random.uniform(0.8, 1.2, value.shape)
                if value.ndim < 2
                else 0.7 * random.normal(size=value.shape) / np.prod(value.shape[:-1]) ** 0.5
            ).astype(value.dtype)
            for value in model.get_weights()
        ]
    )
    return model


def write(model, path, whole=False):
    """A file in the old format, by the code of Keras that owns it."""
    if whole:
        legacy_h5_format.save_model_to_hdf5(model, path)
    else:
        with h5py.File(path, "w") as file:
            legacy_h5_format.save_weights_to_hdf5_group(file, model)
    return path


def assert_same_weights(ours, theirs):
    for one, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


# The networks of keras.applications ------------------------------------------------------------------

NETWORKS = {
    "MobileNetV2": {"alpha": 0.35, "input_shape": (32, 32, 3)},
    "MobileNet": {"alpha": 0.25, "input_shape": (32, 32, 3), "include_top": False, "pooling": "avg"},
}
LARGE = {
    "ResNet50": {"input_shape": (32, 32, 3)},
    "ResNet50V2": {"input_shape": (32, 32, 3), "include_top": False},
    "VGG16": {"input_shape": (32, 32, 3)},
    "MobileNetV2": {"input_shape": (96, 96, 3)},
    "EfficientNetB0": {"input_shape": (64, 64, 3)},
    "EfficientNetV2B0": {"input_shape": (64, 64, 3)},
    "InceptionV3": {"input_shape": (75, 75, 3)},
    "DenseNet121": {"input_shape": (64, 64, 3)},
    "Xception": {"input_shape": (71, 71, 3)},
}


def check_application(name, options, folder):
    """A network's weights in both forms of file, its counters begun anew or going on, into striate's twin of it."""
    build = functools.partial(getattr(keras.applications, name), weights=None, classes=10, **options)
    keras.utils.clear_session()
    first = stir(build())
    files = [write(first, folder / "weights.h5"), write(first, folder / "model.hdf5", whole=True)]
    later = build()  # conv2d_94 where the first one has conv2d
    later.save(folder / "later.keras")
    ours = load_model(folder / "later.keras")
    x = np.random.default_rng(1).uniform(-1, 1, (2, *options["input_shape"])).astype("float32")
    expected = keras_predict(first, x)
    for path in files:
        stir(ours, seed=2)
        assert not np.allclose(ours.predict(x, verbose=0), expected)
        ours.load_weights(path)
        assert_same_weights(ours, first)
        assert_same_outputs(ours.predict(x, verbose=0), expected)


@pytest.mark.parametrize("name", NETWORKS)
def test_applications(name, tmp_path):
    check_application(name, NETWORKS[name], tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", LARGE)
def test_large_applications(name, tmp_path):
    check_application(name, LARGE[name], tmp_path)


# Other models ----------------------------------------------------------------------------------------


def small(k, last="last", classes=3):
    """Automatic names, names of one's own, and every kind of convolution."""
    layers = [
        k.layers.Input((8, 8, 2)),
        k.layers.Conv2D(2, 3, padding="same"),
        k.layers.Conv2D(2, 3, padding="same", use_bias=False),
        k.layers.BatchNormalization(),
        k.layers.DepthwiseConv2D(3, name="deep"),
        k.layers.SeparableConv2D(2, 3, name="block1_sepconv"),
        k.layers.BatchNormalization(scale=False, name="block1_bn"),
        k.layers.Flatten(),
        k.layers.Dense(classes, name=last),
    ]
    return k.models.Sequential(layers, name="net")


def nested(k):
    x, shared = k.layers.Input((4,)), k.layers.Dense(4, name="shared")
    inner_input = k.layers.Input((4,))
    inner = k.models.Model(inner_input, k.layers.Dense(4)(k.layers.Dense(4)(inner_input)), name="inner")
    stack = k.models.Sequential([k.layers.Dense(4), k.layers.BatchNormalization()], name="stack")
    return k.models.Model(x, k.layers.Add()([shared(x), inner(shared(x)), stack(inner(x))]))


def recurrent(k):
    x = k.layers.Input((5, 3))
    both = k.layers.Bidirectional(k.layers.LSTM(2, return_sequences=True, name="inner"))(x)
    each = k.layers.TimeDistributed(k.layers.Dense(4, name="dot"))(both)
    return k.models.Model(x, k.layers.GRU(2)(k.layers.LSTM(2, return_sequences=True)(each)))


@pytest.mark.parametrize("build", [small, nested, recurrent], ids=lambda build: build.__name__)
@pytest.mark.parametrize("whole", [False, True])
def test_what_keras_wrote_is_read(build, whole, tmp_path):
    theirs, ours = stir(build(keras)), build(HERE)
    ours.load_weights(write(theirs, tmp_path / "old.h5", whole))
    x = np.random.default_rng(0).normal(size=(4, *theirs.input_shape[1:])).astype("float32")
    assert_same_outputs(ours.predict(x, verbose=0), keras_predict(theirs, x))


def test_the_state_of_an_optimizer_is_no_weight(tmp_path):
    theirs = stir(small(keras))
    theirs.compile("adam", "mse")
    theirs.fit(np.zeros((2, 8, 8, 2)), np.zeros((2, 3)), verbose=0)
    ours = small(HERE)
    ours.load_weights(write(theirs, tmp_path / "old.h5", whole=True))
    assert_same_weights(ours, theirs)


def test_a_model_of_a_class_with_weights_of_its_own(tmp_path):
    def build(k):
        class Net(k.models.Model):
            def __init__(self):
                super().__init__()
                self.dense = k.layers.Dense(2, name="dense")
                self.factor = self.add_weight(shape=(2,), name="factor")

            def call(self, x):
                return self.dense(x) * self.factor

        net = Net()
        net(np.zeros((1, 3), "float32"))
        return net

    theirs, ours = stir(build(keras)), build(HERE)
    ours.load_weights(write(theirs, tmp_path / "old.h5"))
    np.testing.assert_array_equal(ours.factor.detach(), theirs.factor.value.detach())
    np.testing.assert_array_equal(ours.dense.get_weights()[0], theirs.dense.get_weights()[0])


# Names of older versions -----------------------------------------------------------------------------

KERAS_1 = {"kernel": "W", "bias": "b", "moving_mean": "running_mean", "moving_variance": "running_std"}


def keras_1(layer, weight):
    """As in the files of VGG16 and Xception: a group for each layer, conv_W_1:0 in it."""
    kinds = {"conv2d": "convolution2d_9", "conv2d_1": "convolution2d_12", "batch_normalization": "batchnormalization_1"}
    name = kinds.get(layer, layer)
    suffix = "" if weight.endswith("wise_kernel") else "_1"
    return name, f"{name}_{KERAS_1.get(weight, weight)}{suffix}:0"


def keras_2(layer, weight):
    """As in the files of InceptionV3: numbers from 1 on, conv2d_1/kernel:0 within conv2d_1."""
    kind, _, number = layer.rpartition("_") if layer[-1].isdigit() else (layer, "", "0")
    name = f"{kind}_{int(number) + 1}" if kind in ("conv2d", "batch_normalization") else layer
    return name, f"{name}/{'depthwise_kernel' if (layer, weight) == ('deep', 'kernel') else weight}:0"


def slashes(layer, weight):
    """As in the files of DenseNet: names of layers were paths."""
    name = layer.replace("block1_", "block1/")
    return name, f"{name}/{weight}:0"


def renamed_last(layer, weight):
    """As in the files of ResNet50, whose last layer has another name now."""
    name = {"last": "probs"}.get(layer, layer)
    return name, f"{name}/{weight}:0"


def rename(theirs, path, names):
    """The file that an older version would have written: its groups, and the attributes real Keras reads."""
    with h5py.File(path, "w") as file:
        every = []
        for layer in theirs.layers:
            weights = layer.trainable_weights + layer.non_trainable_weights
            named = [names(layer.name, weight.name) for weight in weights]
            if named:
                group = file.create_group(named[0][0])
                every.append(named[0][0])
                group.attrs["weight_names"] = [name.encode() for _, name in named]
                for (_, name), weight in zip(named, weights, strict=True):
                    group[name] = weight.numpy()
        file.attrs["layer_names"] = [name.encode() for name in every]
    return path


@pytest.mark.parametrize("names", [keras_1, keras_2, slashes, renamed_last], ids=lambda names: names.__name__)
def test_names_of_older_versions(names, tmp_path):
    keras.utils.clear_session()
    path = rename(stir(small(keras)), tmp_path / "old.h5", names)
    theirs, ours = small(keras), small(HERE)
    theirs.load_weights(path)
    ours.load_weights(path)
    assert_same_weights(ours, theirs)


def test_counters_go_by_number_and_not_by_letter(tmp_path):
    def build(k):
        return k.models.Sequential([k.layers.Input((2,)), *(k.layers.Dense(2) for _ in range(12))])

    theirs, ours = stir(build(keras)), build(HERE)
    ours.load_weights(write(theirs, tmp_path / "old.h5"))
    assert_same_weights(ours, theirs)


# Arguments -------------------------------------------------------------------------------------------


def test_by_name_takes_what_is_in_both(tmp_path):
    path = write(stir(small(keras)), tmp_path / "old.h5")
    theirs, ours = (stir(small(k, last="mine", classes=5), seed=3) for k in (keras, HERE))
    for one, other in zip(ours.layers, theirs.layers, strict=True):
        if one.name.startswith(("conv2d", "batch_normalization")):  # counters that differ would match other layers
            one.name = other._name = f"mine_{one.name}"
    ours.load_weights(path, by_name=True)
    theirs.load_weights(path, by_name=True)
    assert_same_weights(ours, theirs)
    assert not np.array_equal(ours.get_layer("deep").get_weights()[0], stir(small(HERE), 3).layers[3].get_weights()[0])


def test_by_name_means_the_whole_name_numbers_included(tmp_path):
    def build(k, *names):
        return k.models.Sequential([k.layers.Input((2,)), *(k.layers.Dense(2, name=name) for name in names)])

    path = write(stir(build(keras, "fc_2", "fc_3")), tmp_path / "old.h5")
    theirs, ours = (stir(build(k, "fc_1", "fc_2"), seed=3) for k in (keras, HERE))
    ours.load_weights(path, by_name=True)
    theirs.load_weights(path, by_name=True)
    assert_same_weights(ours, theirs)


def test_skip_mismatch_leaves_out_what_has_another_shape(tmp_path):
    path = write(stir(small(keras)), tmp_path / "old.h5")
    theirs, ours = (stir(small(k, classes=5), seed=3) for k in (keras, HERE))
    with pytest.warns(UserWarning, match="is left out") as caught:
        ours.load_weights(path, skip_mismatch=True)
    assert [str(warning.message) for warning in caught] == [
        f"Weights file {str(path)!r}: Dense 'last': {label!r} of shape {shape} is left out; it needs {needs}."
        for label, shape, needs in [("kernel", "(32, 3)", "(32, 5)"), ("bias", "(3,)", "(5,)")]
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs.load_weights(path, skip_mismatch=True)
    assert_same_weights(ours, theirs)


@pytest.mark.parametrize("argument", ["by_name", "skip_mismatch"])
def test_arguments_are_checked(argument, tmp_path):
    model = small(HERE)
    with pytest.raises(UserError, match=rf"\.load_weights got {argument}=1; it needs True or False\. Pass {argument}="):
        model.load_weights(tmp_path / "old.h5", **{argument: 1})
    model.save_weights(tmp_path / "new.weights.h5")
    with pytest.raises(UnsupportedError, match=rf"got {argument}=True; it needs {argument}=False: .* Leave {argument}"):
        model.load_weights(tmp_path / "new.weights.h5", **{argument: True})


# Refused ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    keras.utils.clear_session()
    return write(stir(small(keras)), tmp_path_factory.mktemp("good") / "old.h5").read_bytes()


@pytest.fixture
def path(tmp_path, good):
    path = tmp_path / "old.h5"
    path.write_bytes(good)
    return path


def move(source, target):
    return lambda file: file.move(source, target)


def link(file):
    del file["last/net/last/bias"]
    file["last/net/last/bias"] = h5py.ExternalLink("/etc/passwd", "/")


def hollow(file):
    del file["last/net/last/kernel"]
    file.create_dataset("last/net/last/kernel", (32, 3), "f4", chunks=(1, 1))


def many(file):
    """Groups that are each in several others: 8 objects a level, 8 to the power of 10 on the way through."""
    group = file.create_group("bomb")
    for level in range(10):
        inner = file.create_group(f"level{level}")
        for number in range(8):
            group[str(number)] = inner
        group = inner


OTHER, DAMAGED = r"\. Load a file of the same model\.$", r"\. Save or fetch the file again; nothing was loaded\.$"
REFUSED = {
    "another shape": (
        lambda file: (
            file.pop("last/net/last/bias") and file.create_dataset("last/net/last/bias", data=np.zeros(4, "f4"))
        ),
        r"^Weights file '.*old\.h5': Dense 'last' got 'bias' of shape \(4,\); it needs \(3,\)" + OTHER,
    ),
    "a missing layer": (
        lambda file: file.pop("last"),
        r"^Weights file '.*': Dense 'last' got no weights of this layer; it needs 2 weights \(kernel, bias\)" + OTHER,
    ),
    "a missing one of a counted kind": (
        lambda file: file.pop("conv2d"),
        r"^Weights file '.*': Conv2D 'conv2d(_\d+)?' got no weights of this layer; it needs 1 weight \(kernel\)"
        + OTHER,
    ),
    "a layer too many": (
        lambda file: file.create_dataset("more/more/kernel", data=[1.0]),
        r"^Weights file '.*old\.h5' got weights of a layer 'more'; it needs only weights that the model has" + OTHER,
    ),
    "a missing weight": (
        lambda file: file.pop("last/net/last/bias"),
        r"Dense 'last' got 1 weight \(kernel\); it needs 2 weights \(kernel, bias\)" + OTHER,
    ),
    "a weight too many": (
        lambda file: file.create_dataset("last/net/last/more", data=[1.0]),
        r"Dense 'last' got 3 weights \(bias, kernel, more\); it needs 2 weights \(kernel, bias\)" + OTHER,
    ),
    "a weight of another name": (
        move("last/net/last/bias", "last/net/last/gamma"),
        r"Dense 'last' got 2 weights \(gamma, kernel\); it needs 2 weights \(kernel, bias\)" + OTHER,
    ),
    "a weight twice": (
        move("last/net/last/bias", "last/net/last/kernel:0"),
        r"Dense 'last' got 2 weights \(kernel, kernel:0\); it needs 2 weights",
    ),
    "a layer in two places": (
        lambda file: file.create_dataset("last/kernel", data=[1.0]),
        r"^Weights file '.*old\.h5' got weights of 'last' in two places; it needs one place for each layer" + DAMAGED,
    ),
    "two layers of one name": (
        lambda file: file.create_dataset("block1/bn/kernel", data=[1.0]),
        r"got layers 'block1(/|_)bn' and 'block1(/|_)bn'; it needs names that can be told apart" + OTHER,
    ),
    "weights at the top": (
        lambda file: file.create_dataset("x", data=[1.0]),
        r"got weights of a layer ''; it needs only weights that the model has" + OTHER,
    ),
    "the format of Keras 3": (
        move("last/net/last", "layers/dense/vars"),
        r"^Weights file '.*old\.h5' got weights as Keras 3 keeps them; it needs a group for each layer, by name\. "
        r"Give it a name that ends in \.weights\.h5\.$",
    ),
    "a link": (link, r"got a link 'bias' \(ExternalLink\) to elsewhere; it needs the arrays themselves" + DAMAGED),
    "less stored than declared": (hollow, r"got 'kernel' of Dense 'last' with 0 of its 384 bytes"),
    "a cycle": (lambda file: file.__setitem__("last/self", file["last"]), r"got groups nested 65 deep"),
    "a bomb of groups": (many, r"got groups nested \d+ deep with [\d,]+ objects; it needs a file as Keras writes it"),
    "nothing": (lambda file: [file.pop(name) for name in list(file)], "got no weights of this layer"),
}


@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.parametrize("whole", [False, True])
def test_refused_and_nothing_loaded(case, whole, path, monkeypatch):
    monkeypatch.setattr(weights_file, "MAX_OBJECTS", 1000)
    change, text = REFUSED[case]
    with h5py.File(path, "r+") as file:
        change(file)
        if whole:
            inside = list(file)
            file.create_group("model_weights")
            for name in inside:
                file.move(name, f"model_weights/{name}")
    ours = small(HERE)
    before = ours.get_weights()
    with pytest.raises(UserError, match=text):
        ours.load_weights(path)
    for one, other in zip(ours.get_weights(), before, strict=True):
        np.testing.assert_array_equal(one, other)


def test_damage_in_the_numbers_of_the_last_weight_leaves_the_first_alone(path):
    with h5py.File(path, "r+") as file:
        numbers = file["last/net/last/kernel"][()]
        del file["last/net/last/kernel"]
        file.create_dataset("last/net/last/kernel", data=numbers, fletcher32=True)
    path.write_bytes(path.read_bytes().replace(numbers.tobytes(), (numbers + 1).tobytes()))
    ours = small(HERE)
    before = ours.get_weights()
    with pytest.raises(
        UserError,
        match=r"got no whole HDF5 file \(.*filter returned failure.*\); it needs a whole weight file" + DAMAGED,
    ):
        ours.load_weights(path)
    for one, other in zip(ours.get_weights(), before, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_number_that_nobody_counts_to(path):
    with h5py.File(path, "r+") as file:
        file.move("last", "last_" + "9" * 5000)
    small(HERE).load_weights(path)  # as the one that is left over


def test_by_name_without_a_name_in_common(path):
    other = models.Sequential([layers.Dense(2, input_shape=(3,), name="other")])
    text = r"got no layer whose name the model has; it needs at least one for by_name=True"
    with pytest.raises(UserError, match=text + DAMAGED):
        other.load_weights(path, by_name=True)


def test_no_such_file(tmp_path):
    with pytest.raises(UserError, match=r"^Weights file '.*none\.h5' got .*No such file"):
        small(HERE).load_weights(tmp_path / "none.h5")


QUICK = hypothesis.settings(
    max_examples=80,
    deadline=None,
    derandomize=True,
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture],
)


@QUICK
@hypothesis.given(
    places=st.lists(st.integers(0, 2**20), max_size=8),
    value=st.integers(0, 255),
    end=st.floats(0.05, 1) | st.just(1),
)
def test_any_byte_may_change(places, value, end, path: Path, good):
    changed = bytearray(good)
    for place in places:
        changed[place % len(changed)] = value
    path.write_bytes(changed[: int(len(changed) * end)])
    try:
        SMALL.load_weights(path)
    except UserError as error:
        assert str(path) in str(error)  # noqa: PT017


SMALL = small(HERE)
