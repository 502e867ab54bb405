import os

import pytest
import torch

os.environ.setdefault("KERAS_BACKEND", "torch")
import keras

from striate.foundation.checks import UnsupportedError, UserError
from striate.training import losses

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")


def absolute_error(y_true: torch.Tensor, y_pred: torch.Tensor) -> torch.Tensor:
    return (y_true - y_pred).abs().mean(-1)


class Scaled(losses.Loss):
    """A user's own loss, written as for Keras."""

    def __init__(self, factor=2.0, **options):
        super().__init__(**options)
        self.factor = factor

    def call(self, y_true, y_pred):
        return self.factor * (y_true - y_pred).abs().mean(-1)

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}


def test_functions_get_labels_of_the_predictions_shape_and_dtype():
    seen = []

    def look(y_true, y_pred):
        seen.append((y_true.shape, y_true.dtype, y_pred.dtype))
        return (y_true - y_pred).mean(-1)

    losses.get(look)(torch.tensor([True, False]), torch.rand(2, 1, dtype=torch.bfloat16))
    assert seen == [((2, 1), torch.float32, torch.float32)]


def test_any_function_is_a_loss():
    loss = losses.get(absolute_error)
    assert loss.name == "absolute_error"
    assert loss(torch.tensor([1.0, 2.0]), torch.tensor([[2.0], [4.0]])).item() == 1.5
    assert loss([1.0, 2.0], [[2.0], [4.0]], sample_weight=[1.0, 0.0]).item() == 0.5
    form = losses.serialize(absolute_error)
    assert form == keras.losses.serialize(absolute_error)
    assert losses.serialize(loss) == form
    summed = losses.LossFunctionWrapper(absolute_error, reduction="sum", name="summed")
    opened = keras.losses.deserialize(losses.serialize(summed), custom_objects={"absolute_error": absolute_error})
    assert (opened.fn, opened.reduction, opened.name) == (absolute_error, "sum", "summed")
    with pytest.raises(UserError, match="The saved loss 'absolute_error' got only a function's name; it needs a loss "
                       "of striate's, because no code is read from files. If it is yours, put "
                       r"@register_keras_serializable\(\) before the function, or pass custom_objects=\{"):  # fmt: skip
        losses.get(form)


def test_functions_of_keras_come_back_from_files():
    assert type(losses.get(keras.losses.serialize(keras.losses.mean_squared_error))) is losses.MeanSquaredError
    wrapper = keras.src.losses.losses.LossFunctionWrapper(keras.losses.mean_squared_error, reduction="sum")
    again = losses.get(keras.losses.serialize(wrapper))
    assert again.config() == wrapper.get_config()
    assert losses.serialize(again) == keras.losses.serialize(wrapper)
    assert again([[0.0], [0.0]], [[1.0], [2.0]]).item() == 5.0


def test_a_class_of_the_users_own():
    loss = Scaled(factor=3.0, reduction="sum")
    assert loss.name == "scaled"
    assert loss(torch.zeros(2, 1), torch.ones(2, 1)).item() == 6.0
    assert losses.get(Scaled).factor == 2.0
    form = losses.serialize(loss)
    assert (form["module"], form["registered_name"]) == (None, "Scaled")
    assert Scaled.from_config(form["config"]).config() == loss.config()
    with pytest.raises(NotImplementedError):
        losses.Loss()(torch.zeros(1, 1), torch.zeros(1, 1))


@pytest.mark.parametrize("name", ["BinaryCrossentropy", "MeanSquaredError"])
def test_halves_are_computed_in_float32(name):
    y_true, y_pred = torch.tensor([[1.0], [0.0]]), torch.tensor([[0.3], [0.2]], dtype=torch.bfloat16)
    loss = getattr(losses, name)()(y_true, y_pred)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, getattr(losses, name)()(y_true, y_pred.float()))


@pytest.mark.parametrize("from_logits", [False, True])
@pytest.mark.parametrize("name", ["BinaryCrossentropy", "CategoricalCrossentropy", "SparseCategoricalCrossentropy"])
def test_nan_predictions_give_a_nan_loss(name, from_logits):
    y_pred = torch.full((2, 3), torch.nan)
    y_true = torch.tensor([0, 1]) if "Sparse" in name else torch.eye(3)[:2]
    assert torch.isnan(getattr(losses, name)(from_logits=from_logits)(y_true, y_pred))


@pytest.mark.parametrize(
    ("shapes", "expected"),
    [
        (((None,), (None, 1)), losses.BinaryCrossentropy),
        (((None, 1), (None, 1)), losses.BinaryCrossentropy),
        (((None,), (None,)), losses.BinaryCrossentropy),
        (((None,), (None, 10)), losses.SparseCategoricalCrossentropy),
        (((None, 1), (None, 10)), losses.SparseCategoricalCrossentropy),
        (((None, 8, 8), (None, 8, 8, 10)), losses.SparseCategoricalCrossentropy),
        (((None, 10), (None, 10)), losses.CategoricalCrossentropy),
    ],
)
@pytest.mark.parametrize("name", ["crossentropy", "ce", "CE"])
def test_crossentropy_chooses_by_shapes(name, shapes, expected):
    assert type(losses.get(name, *shapes)) is expected


ERRORS = {
    "typing error": (
        lambda: losses.get("binary_crossentrpy"),
        r"Loss got loss 'binary_crossentrpy'; it needs a known loss. Did you mean 'BinaryCrossentropy'\?",
    ),
    "unknown name": (lambda: losses.get("xyz"), "Choose one of 'BinaryCrossentropy', 'CategoricalCrossentropy', "),
    "unknown class in a file": (
        lambda: losses.get({"module": "keras.losses", "class_name": "MeanSquaredErro", "config": {}}),
        r"Loss got loss 'MeanSquaredErro'; it needs a known loss. Did you mean 'MeanSquaredError'\?",
    ),
    "unknown argument in a file": (
        lambda: losses.get({"class_name": "BinaryCrossentropy", "config": {"from_logit": True}}),
        r"BinaryCrossentropy got an unknown argument from_logit=True; .* Did you mean 'from_logits'\?",
    ),
    "no loss": (lambda: losses.get(None), "Loss got loss None; it needs the name of a known loss, or a Loss."),
    "crossentropy without shapes": (
        lambda: losses.get("crossentropy"),
        "Loss 'crossentropy' got a name with several meanings; it needs the shapes of labels and predictions",
    ),
    "reduction": (
        lambda: losses.MeanSquaredError(reduction="meen"),
        r"Loss 'mean_squared_error' got reduction='meen'; .* Did you mean 'mean'\?",
    ),
    "dtype": (
        lambda: losses.MeanSquaredError(dtype="float16"),
        "Loss 'mean_squared_error' got dtype='float16'; it needs dtype='float32': striate does not support other "
        "values of this Keras argument. Leave dtype out.",
    ),
    "label_smoothing": (
        lambda: losses.BinaryCrossentropy(label_smoothing=1.5),
        "Loss 'binary_crossentropy' got label_smoothing=1.5; it needs a number from 0 to 1.",
    ),
    "axis": (
        lambda: losses.CategoricalCrossentropy(axis=True),
        "Loss 'categorical_crossentropy' got axis=True; it needs a whole number. Pass for example axis=-1.",
    ),
    "ignore_class": (
        lambda: losses.SparseCategoricalCrossentropy(ignore_class="void"),
        "got ignore_class='void'; it needs a class number. Pass for example ignore_class=255.",
    ),
    "from_logits": (
        lambda: losses.BinaryCrossentropy(from_logits="no"),
        "got from_logits='no'; it needs True or False",
    ),
    "gamma": (
        lambda: losses.BinaryFocalCrossentropy(gamma=-1),
        "Loss 'binary_focal_crossentropy' got gamma=-1; it needs a number of at least 0. Change gamma.",
    ),
    "alpha": (
        lambda: losses.CategoricalFocalCrossentropy(alpha=[0.5, "x"]),
        "got alpha='x'; it needs a number of at least 0, or one per class.",
    ),
    "delta": (lambda: losses.Huber(delta=0), "Loss 'huber_loss' got delta=0; it needs a number above 0. Change delta."),
    "q": (lambda: losses.CategoricalGeneralizedCrossEntropy(q=1), "got q=1; it needs a number between 0 and 1."),
    "beta": (lambda: losses.Tversky(beta=-0.5), "Loss 'tversky' got beta=-0.5; it needs a number of at least 0."),
    "axes": (
        lambda: losses.Dice(axis="all"),
        r"Loss 'dice' got axis='all'; it needs a whole number, several of them, or None for all axes. Pass for example "
        r"axis=\(1, 2, 3\).",
    ),
    "an unknown argument": (
        lambda: losses.get({"class_name": "MeanAbsoluteError", "config": {"axis": 1}}),
        "MeanAbsoluteError got an unknown argument axis=1; it needs arguments it knows.",
    ),
    "weights for one region of all": (
        lambda: losses.Dice()(torch.zeros(2, 4), torch.zeros(2, 4), torch.ones(2)),
        r"Loss 'dice' got sample_weight of shape \(2,\) for values of shape \(\)",
    ),
    "words as labels": (
        lambda: losses.MeanSquaredError()(["cat", "dog"], torch.zeros(2, 1)),
        "Loss 'mean_squared_error' got y_true of dtype <U3; it needs numbers.",
    ),
}


@pytest.mark.parametrize(("make", "text"), ERRORS.values(), ids=ERRORS)
def test_errors(make, text):
    with pytest.raises(UserError, match=text):
        make()


def test_what_keras_has_and_striate_has_not():
    with pytest.raises(UnsupportedError):
        losses.MeanSquaredError(dtype="float16")
    assert losses.MeanSquaredError(dtype="float32").config() == losses.MeanSquaredError().config()
