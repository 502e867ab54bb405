import math
import warnings

import keras
import numpy as np
import pytest
import torch

from striate.foundation.checks import UserError
from striate.layers import Dense, Input
from striate.models import Sequential
from striate.training import losses
from striate.training.labels import label_kind, match_rank

NAN, INF = float("nan"), float("inf")
EYE = torch.eye(3)
CLASSES = torch.tensor([0, 1, 2])

GOOD = {
    "binary (N,)": ("bce", torch.tensor([0.0, 1.0, 1.0]), (3, 1)),
    "binary integers": ("bce", torch.tensor([[0], [1], [1]]), (3, 1)),
    "binary booleans": ("bce", torch.tensor([True, False, True]), (3, 1)),
    "binary beside (N,)": ("bce", torch.tensor([[0.0], [1.0], [1.0]]), (3,)),
    "several binary": ("bce", EYE, (3, 3)),
    "soft binary": ("bce", EYE * 0.8 + 0.1, (3, 3)),
    "masks": ("bce", torch.zeros(3, 4, 4, dtype=torch.uint8), (3, 4, 4, 1)),
    "one-hot": ("categorical_crossentropy", EYE, (3, 3)),
    "one-hot bytes": ("categorical_crossentropy", EYE.byte(), (3, 3)),
    "one-hot booleans": ("categorical_crossentropy", EYE.bool(), (3, 3)),
    "soft one-hot": ("categorical_crossentropy", torch.full((3, 3), 1 / 3), (3, 3)),
    "one-hot without a class": ("categorical_crossentropy", torch.zeros(3, 3), (3, 3)),
    "classes": ("sparse_categorical_crossentropy", CLASSES, (3, 3)),
    "classes (N,1)": ("sparse_categorical_crossentropy", CLASSES[:, None], (3, 3)),
    "classes as floats": ("sparse_categorical_crossentropy", CLASSES.float(), (3, 3)),
    "classes as bytes": ("sparse_categorical_crossentropy", CLASSES.byte(), (3, 3)),
    "two classes as booleans": ("sparse_categorical_crossentropy", torch.tensor([True, False]), (2, 2)),
    "class maps": ("sparse_categorical_crossentropy", torch.zeros(3, 4, 4, dtype=torch.int32), (3, 4, 4, 2)),
    "signs": ("hinge", torch.tensor([-1.0, 1.0, 1.0]), (3, 1)),
    "signs from 0": ("squared_hinge", torch.tensor([[0], [1]]), (2, 1)),
    "booleans for signs": ("hinge", torch.tensor([True, False]), (2, 1)),
    "one-hot margins": ("categorical_hinge", EYE, (3, 3)),
    "regions": ("dice", torch.zeros(3, 4, 4, 1, dtype=torch.uint8), (3, 4, 4, 1)),
    "counts": ("poisson", torch.tensor([0, 7]), (2, 1)),
    "sizes": ("msle", torch.tensor([0.0, 1e6]), (2, 1)),
    "distributions": ("kld", torch.full((3, 3), 1 / 3), (3, 3)),
    "noisy classes": (losses.CategoricalGeneralizedCrossEntropy(), CLASSES, (3, 3)),
    "numbers": ("mse", torch.tensor([1e9, -5.0]), (2, 1)),
    "a function's own labels": (lambda y_true, y_pred: y_pred.mean(-1), torch.full((2, 7), NAN), (2, 1)),
}
IGNORING = losses.SparseCategoricalCrossentropy(ignore_class=255)
AXIS_1 = losses.SparseCategoricalCrossentropy(axis=1)
BINARY = "Loss 'binary_crossentropy' got"
ONE_HOT = "Loss 'categorical_crossentropy' got"
SPARSE = "Loss 'sparse_categorical_crossentropy' got"
NUMBERS = "Loss 'mean_squared_error' got"

BAD = {
    "fewer labels": ("bce", torch.zeros(2), (3, 1), f"{BINARY} 2 labels for 3 predictions; it needs as many labels as "
                     "samples. Make x and y of one length."),
    "empty batch": ("bce", torch.zeros(0), (0, 1), f"{BINARY} an empty batch; it needs at least one sample. Leave"),
    "function with fewer labels": (lambda a, b: b, torch.zeros(2), (3, 1), "Loss '<?lambda>?' got 2 labels for 3"),
    "NaN": ("bce", torch.tensor([0.0, NAN]), (2, 1), f"{BINARY} NaN among the labels; it needs finite labels. Fill in "
            "or leave out samples without a label."),
    "NaN for numbers": ("mse", torch.tensor([0.0, NAN]), (2, 1), f"{NUMBERS} NaN among the labels"),
    "NaN one-hot": ("categorical_crossentropy", EYE * NAN, (3, 3), f"{ONE_HOT} NaN among the labels"),
    "NaN classes": ("sparse_categorical_crossentropy", EYE[0] * NAN, (3, 3), f"{SPARSE} NaN among the labels"),
    "infinite": ("mse", torch.tensor([0.0, -INF]), (2, 1), f"{NUMBERS} an infinite number among the labels"),
    "complex": ("mse", torch.zeros(2, 1, dtype=torch.complex64), (2, 1), f"{NUMBERS} labels of dtype torch.complex64; "
                "it needs real numbers. Pass y.real."),
    "-1 and 1": ("bce", torch.tensor([-1.0, 1.0]), (2, 1), f"{BINARY} labels from -1 to 1; it needs labels from 0 to "
                 r"1. Turn -1 and 1 into 0 and 1: \(y \+ 1\) / 2."),
    "only -1": ("bce", torch.tensor([-1, -1]), (2, 1), r"labels from -1 to -1; .* \(y \+ 1\) / 2"),
    "0 and 255": ("bce", torch.tensor([0, 255], dtype=torch.uint8), (2, 1), f"{BINARY} labels from 0 to 255; it needs "
                  "labels from 0 to 1. Turn 0 and 255 into 0 and 1: y / 255."),
    "1 and 2": ("bce", torch.tensor([1, 2]), (2, 1), "labels from 1 to 2; .* Turn 1 and 2 into 0 and 1: y - 1."),
    "classes for one unit": ("bce", torch.tensor([0, 9]), (2, 1), f"{BINARY} labels from 0 to 9; it needs labels from "
                             "0 to 1. For classes 0, 1, 2, ... use sparse_categorical_crossentropy with one unit per "
                             "class, for quantities mean_squared_error."),
    "classes for several units": ("bce", CLASSES, (3, 3), rf"{BINARY} labels of shape \(3,\) for predictions of shape "
                                  r"\(3, 3\); it needs labels and predictions of one shape. For class numbers use "
                                  "sparse_categorical_crossentropy; else pass one label per unit of the output."),
    "two columns for one unit": ("bce", EYE[:2, :2], (2, 1), r"labels of shape \(2, 2\) for predictions of shape "
                                 r"\(2, 1\); .* Give the output 2 units, or pass one column of the labels."),
    "one column for several units": ("mse", torch.zeros(2, 1), (2, 3), rf"{NUMBERS} labels of shape \(2, 1\) for .*"
                                     "pass one label per unit of the output."),
    "masks of another size": ("bce", torch.zeros(2, 8, 8, 1), (2, 4, 4, 1), r"shape \(2, 8, 8, 1\) for predictions of "
                              r"shape \(2, 4, 4, 1\); .* Give the output the labels' shape; \(N,\) goes with \(N, 1\)"),
    "classes for one-hot": ("categorical_crossentropy", CLASSES, (3, 10), rf"{ONE_HOT} labels of shape \(3,\) for "
                            r"predictions of shape \(3, 10\); it needs one-hot labels of shape \(3, 10\). For class "
                            r"numbers use sparse_categorical_crossentropy, or pass to_categorical\(y, 10\)."),
    "classes (N,1) for one-hot": ("categorical_crossentropy", CLASSES[:, None], (3, 10), "use sparse_categorical_"),
    "too few columns": ("categorical_crossentropy", EYE, (3, 10), f"{ONE_HOT} one-hot labels of 3 classes for "
                        "predictions of 10; it needs one number of classes. Give the output 3 units, or pass "
                        r"to_categorical\(y, 10\)."),
    "one-hot of another rank": ("categorical_crossentropy", torch.zeros(3, 4, 4, 3), (3, 3), r"shape \(3, 4, 4, 3\)"),
    "one-hot of 255": ("categorical_crossentropy", EYE * 255, (3, 3), f"{ONE_HOT} labels from 0 to 255; it needs "
                       r"one-hot labels from 0 to 1. Pass to_categorical\(class_numbers\)."),
    "softmax of width 1": ("categorical_crossentropy", torch.ones(3, 1), (3, 1), f"{ONE_HOT} predictions of shape "
                           r"\(3, 1\); it needs at least two classes. For one unit with a sigmoid use "
                           "binary_crossentropy; else give the output one unit per class."),
    "width 1, sparse": ("sparse_categorical_crossentropy", CLASSES, (3, 1), f"{SPARSE} predictions of shape"),
    "predictions (N,), sparse": ("sparse_categorical_crossentropy", CLASSES, (3,), "it needs at least two classes"),
    "one-hot for sparse": ("sparse_categorical_crossentropy", EYE, (3, 3), rf"{SPARSE} labels of shape \(3, 3\) for "
                           r"predictions of shape \(3, 3\); it needs one class number per sample, shape \(3,\). For "
                           r"one-hot labels use categorical_crossentropy, or pass labels.argmax\(-1\)."),
    "another shape, sparse": ("sparse_categorical_crossentropy", torch.zeros(3, 5, 7), (3, 3), "it needs one class "
                              r"number per sample, shape \(3,\). Pass one whole number from 0 to C - 1 per sample."),
    "fractions": ("sparse_categorical_crossentropy", torch.tensor([0.0, 1.5]), (2, 3), f"{SPARSE} labels with "
                  "fractions; it needs whole numbers from 0 to 2, because the output has 3 classes. For quantities "
                  "use mean_squared_error."),
    "from 1": ("sparse_categorical_crossentropy", CLASSES + 1, (3, 3), f"{SPARSE} labels from 1 to 3; it needs whole "
               "numbers from 0 to 2, because the output has 3 classes. Subtract 1 from the labels, or give the output "
               "one more unit."),
    "too large": ("sparse_categorical_crossentropy", CLASSES + 7, (3, 3), "labels from 7 to 9; .* Give the output 10 "
                  "units, or mend the labels."),
    "negative": ("sparse_categorical_crossentropy", CLASSES - 1, (3, 3), "labels from -1 to 1; .* Mend the labels, or "
                 "leave samples out with ignore_class=-1."),
    "not ignored": (IGNORING, torch.tensor([0, 254]), (2, 3), "labels from 0 to 254"),
    "other signs": ("hinge", torch.tensor([-1.0, 0.0, 1.0]), (3, 1), "Loss 'hinge' got labels from -1 to 1; it needs "
                    "labels -1 and 1, or 0 and 1, and none between. Turn the labels of the two classes into -1 and 1; "
                    "for more classes use categorical_hinge."),
    "classes as signs": ("squared_hinge", CLASSES, (3, 1), "Loss 'squared_hinge' got labels from 0 to 2; it needs"),
    "classes for margins": ("categorical_hinge", CLASSES, (3, 3), "Loss 'categorical_hinge' got labels of shape"),
    "counts below 0": ("poisson", torch.tensor([-1, 2]), (2, 1), "Loss 'poisson' got labels from -1 to 2; it needs "
                       "labels of at least 0. Mend the labels; for quantities below 0 use mean_squared_error."),
    "sizes below 0": ("msle", torch.tensor([-1.0, 2.0]), (2, 1), "Loss 'mean_squared_logarithmic_error' got labels"),
    "regions of 255": ("dice", torch.full((2, 4), 255), (2, 4), "Loss 'dice' got labels from 255 to 255; .* y / 255."),
    "regions of another size": ("tversky", torch.zeros(2, 4), (2, 5), "Loss 'tversky' got labels of shape"),
    "no distributions": ("kld", EYE * 3, (3, 3), "Loss 'kl_divergence' got labels from 0 to 3; it needs labels from 0"),
    "focal binary": ("binary_focal_crossentropy", CLASSES, (3, 1), "Loss 'binary_focal_crossentropy' got labels from"),
    "focal one-hot": ("categorical_focal_crossentropy", CLASSES, (3, 3), "Loss 'categorical_focal_crossentropy' got"),
    "NaN for huber": ("huber", torch.tensor([NAN, 0.0]), (2, 1), "Loss 'huber_loss' got NaN among the labels"),
    "too many classes": (losses.CategoricalGeneralizedCrossEntropy(), CLASSES + 2, (3, 3), "labels from 2 to 4; it"),
    "another axis": (AXIS_1, torch.full((2, 4), 3), (2, 3, 4), "labels from 3 to 3; it needs whole numbers"),
}  # fmt: skip


@pytest.mark.parametrize(("loss", "y_true", "shape"), GOOD.values(), ids=GOOD)
def test_labels_that_fit(loss, y_true, shape):
    loss, y_pred = losses.get(loss), torch.full(shape, 0.5)
    loss.check(y_true, y_pred)
    assert torch.isfinite(loss(y_true, y_pred))


SOFT = np.random.default_rng(0).uniform(0, 1, (8, 3)).astype("float32")
SEVERAL = {
    "several at once": (SOFT > 0.4).astype("float32"),
    "soft": SOFT,
    "all": np.ones((8, 3), "float32"),
    "none in some": (SOFT > 0.8).astype("float32"),
    "mixed": 0.3 * np.eye(3, dtype="float32")[[0, 1, 2, 0, 1, 2, 0, 1]] + 0.7 * np.eye(3, dtype="float32")[[1] * 8],
}


@pytest.mark.parametrize("options", [{}, {"from_logits": True}, {"label_smoothing": 0.1}], ids=str)
@pytest.mark.parametrize("kind", ["CategoricalCrossentropy", "CategoricalFocalCrossentropy"])
@pytest.mark.parametrize("name", SEVERAL)
def test_labels_of_several_classes_are_computed_as_keras_does(name, kind, options):
    values = np.random.default_rng(1).normal(size=(8, 3)).astype("float32")
    values = values if "from_logits" in options else np.abs(values) + 0.1
    y_pred = [torch.tensor(values, requires_grad=True) for _ in range(2)]
    y_true = torch.from_numpy(SEVERAL[name])
    own = getattr(losses, kind)(**options)
    if SEVERAL[name].sum(1).max() > 1.01:
        with pytest.warns(
            UserWarning, match=r"^Loss '.*' got one-hot labels that sum to more than 1; it computes with"
        ):
            own.check(y_true, y_pred[0])
    else:
        own.check(y_true, y_pred[0])
    ours, theirs = own(y_true, y_pred[0]), getattr(keras.losses, kind)(**options)(y_true, y_pred[1])
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)
    for value in (ours, theirs):
        value.backward()
    torch.testing.assert_close(y_pred[0].grad, y_pred[1].grad, rtol=1e-4, atol=1e-6)


def test_the_sums_are_warned_of_once():
    model = Sequential([Input((2,)), Dense(3, "softmax")])
    model.compile("sgd", "categorical_crossentropy")
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("default")
        model.fit(np.ones((8, 2), "float32"), SOFT * 0.5 + 0.5, batch_size=2, epochs=2, verbose=0)
    assert len([warning for warning in said if "sum to more than 1" in str(warning.message)]) == 1


@pytest.mark.parametrize("y_true", [torch.tensor([0, 255]), torch.tensor([255, 255], dtype=torch.uint8)])
def test_ignored_labels_fit(y_true):
    y_pred = torch.full((2, 3), 1 / 3)
    IGNORING.check(y_true, y_pred)
    kept = (y_true != 255).sum()
    assert float(IGNORING(y_true, y_pred)) == pytest.approx(math.log(3) if kept else 0, rel=1e-6)


def test_axis_1_fits():
    y_true, y_pred = torch.full((2, 4), 2), torch.full((2, 3, 4), 1 / 3)
    AXIS_1.check(y_true, y_pred)
    assert float(AXIS_1(y_true, y_pred)) == pytest.approx(math.log(3), rel=1e-6)


@pytest.mark.parametrize(("loss", "y_true", "shape", "text"), BAD.values(), ids=BAD)
def test_labels_that_do_not_fit(loss, y_true, shape, text):
    with pytest.raises(UserError, match=text):
        losses.get(loss).check(y_true, torch.zeros(shape))


def test_errors_name_the_output():
    with pytest.raises(UserError, match="Loss 'mean_squared_error' of output 'age' got 2 labels for 3 predictions"):
        losses.get("mse").check(torch.zeros(2), torch.zeros(3, 1), output="age")


@pytest.mark.parametrize(
    "name", ["binary_crossentropy", "categorical_crossentropy", "mean_squared_error", "hinge", "dice", "poisson"]
)
def test_functions_never_broadcast(name):
    for one, two in [((3, 1), (3, 4)), ((3,), (3, 3)), ((3, 3), (3,)), ((3, 1, 1), (3,))]:
        with pytest.raises(UserError, match=f"{name} got labels of shape .* it needs labels and predictions of one"):
            getattr(losses, name)(torch.zeros(one), torch.zeros(two))


def test_sparse_function_refuses_other_shapes():
    with pytest.raises(UserError, match=r"use binary_crossentropy\."):
        losses.sparse_categorical_crossentropy(torch.zeros(3, 2, 2), torch.zeros(3, 1))
    with pytest.raises(UserError, match="For one-hot labels use categorical_crossentropy"):
        losses.sparse_categorical_crossentropy(torch.eye(3), torch.eye(3))


@pytest.mark.parametrize(
    ("one", "two", "expected"),
    [
        ((3,), (3, 1), ((3, 1), (3, 1))),
        ((3, 1), (3,), ((3, 1), (3, 1))),
        ((3, 4), (3, 4, 1), ((3, 4), (3, 4))),
        ((3, 4, 1), (3, 4), ((3, 4), (3, 4))),
        ((3,), (3, 4), ((3,), (3, 4))),
        ((3, 1), (3, 4), ((3, 1), (3, 4))),
        ((3,), (3, 1, 1), ((3,), (3, 1, 1))),
    ],
)
def test_ranks(one, two, expected):
    assert tuple(tuple(t.shape) for t in match_rank(torch.zeros(one), torch.zeros(two))) == expected


def test_kind_needs_shapes():
    assert label_kind("accuracy", None, (None, 1)) == "binary"
    with pytest.raises(UserError, match="accuracy got a name with several meanings"):
        label_kind("accuracy", None, (None, 3))
