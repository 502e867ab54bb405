import os

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score, roc_auc_score

os.environ.setdefault("KERAS_BACKEND", "torch")
import keras

from striate.foundation.checks import UserError
from striate.training import metrics

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")


def labels(shape: tuple[int, ...]) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(3).integers(0, 2, shape))


def predictions(y_true: torch.Tensor, noise: float = 1.5) -> torch.Tensor:
    chance = np.random.default_rng(4).normal(0, noise, y_true.shape)
    return torch.sigmoid(torch.from_numpy(chance.astype("float32")) + y_true - 0.5)


def weights(shape: tuple[int, ...]) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(5).uniform(0, 2, shape).astype("float32"))


def agree(ours: metrics.AUC, theirs: keras.metrics.AUC) -> None:
    torch.testing.assert_close(ours.result(), theirs.result().detach(), rtol=1e-5, atol=1e-6)


OPTIONS = [
    {},
    {"num_thresholds": 2},
    {"num_thresholds": 3},
    {"num_thresholds": 51},
    {"thresholds": [0.9, 0.3, 0.5]},
    {"thresholds": [0.0, 0.25, 0.5, 0.75, 1.0]},
    {"thresholds": [0.5]},
]


@pytest.mark.parametrize("method", ["interpolation", "minoring", "majoring"])
@pytest.mark.parametrize("curve", ["ROC", "PR", "PRGAIN"])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_curves(options, curve, method):
    options = {**options, "curve": curve, "summation_method": method}
    ours, theirs = metrics.AUC(**options), keras.metrics.AUC(**options)
    y_true = labels((60, 1))
    y_pred = predictions(y_true)
    y_pred[:4] = torch.tensor([[0.0], [1.0], [0.0], [1.0]])
    for chosen in (slice(None), slice(0, 20), slice(20, 21)):
        for metric in (ours, theirs):
            metric.update_state(y_true[chosen], y_pred[chosen])
        agree(ours, theirs)
    for metric in (ours, theirs):
        metric.reset_state()
    assert ours.result().item() == 0.0
    for metric in (ours, theirs):
        metric.update_state(y_true, y_pred, weights((60,)))
    agree(ours, theirs)


SHAPES = {
    "(N,)": ((40,), (40,)),
    "(N,) beside (N,1)": ((40,), (40, 1)),
    "(N,1) beside (N,)": ((40, 1), (40,)),
    "(N,L)": ((40, 3), (40, 3)),
    "(N,H,W)": ((5, 4, 4), (5, 4, 4)),
    "(N,H,W) beside (N,H,W,1)": ((5, 4, 4), (5, 4, 4, 1)),
}


@pytest.mark.parametrize("thresholds", [None, [0.2, 0.7]])
@pytest.mark.parametrize(("true_shape", "pred_shape"), SHAPES.values(), ids=SHAPES)
def test_shapes(true_shape, pred_shape, thresholds):
    ours, theirs = metrics.AUC(thresholds=thresholds), keras.metrics.AUC(thresholds=thresholds)
    y_true = labels(true_shape)
    y_pred = predictions(y_true).reshape(pred_shape)
    for metric in (ours, theirs):
        metric.update_state(y_true, y_pred)
    agree(ours, theirs)


@pytest.mark.parametrize("dtype", [torch.bool, torch.uint8, torch.float32, torch.float64])
def test_label_dtypes(dtype):
    y_true = labels((40,))
    y_pred = predictions(y_true)
    assert metrics.AUC()(y_true.to(dtype), y_pred) == metrics.AUC()(y_true, y_pred)


@pytest.mark.parametrize("thresholds", [None, [0.2, 0.7]])
@pytest.mark.parametrize("label_weights", [None, [1.0, 0.0, 2.5]])
@pytest.mark.parametrize("curve", ["ROC", "PR"])
@pytest.mark.parametrize("num_labels", [None, 3])
def test_several_labels(num_labels, curve, label_weights, thresholds):
    options = {"multi_label": True, "num_labels": num_labels, "curve": curve, "thresholds": thresholds}
    ours = metrics.AUC(**options, label_weights=label_weights)
    theirs = keras.metrics.AUC(**options, label_weights=label_weights)
    y_true = labels((40, 3))
    y_pred = predictions(y_true)
    for _ in range(2):
        for metric in (ours, theirs):
            metric.update_state(y_true, y_pred)
        agree(ours, theirs)
    ours.reset_state()
    each = [roc_auc_score(y_true[:, i], y_pred[:, i]) for i in range(3)]
    if curve == "ROC" and thresholds is None:
        assert ours(y_true, y_pred).item() == pytest.approx(np.average(each, weights=label_weights), abs=0.01)


def test_several_labels_with_weights():
    ours, theirs = metrics.AUC(multi_label=True), keras.metrics.AUC(multi_label=True)
    y_true = labels((40, 3))
    for metric in (ours, theirs):
        metric.update_state(y_true, predictions(y_true), weights((40,)))
    agree(ours, theirs)


@pytest.mark.parametrize("sample_weight", [None, weights((40,))])
def test_weights_of_columns(sample_weight):
    y_true = labels((40, 3))
    y_pred = predictions(y_true)
    ours, theirs = (auc(label_weights=[1.0, 0.0, 2.5]) for auc in (metrics.AUC, keras.metrics.AUC))
    for metric in (ours, theirs):
        metric.update_state(y_true, y_pred, sample_weight)
    agree(ours, theirs)


def test_logits():
    y_true = labels((40, 1))
    y_pred = predictions(y_true)
    ours, theirs = metrics.AUC(from_logits=True), keras.metrics.AUC(from_logits=True)
    for metric in (ours, theirs):
        metric.update_state(y_true, torch.logit(y_pred))
    agree(ours, theirs)


@pytest.mark.parametrize("weighted", [False, True])
def test_exact_where_predictions_lie_between_thresholds(weighted):
    y_true = labels((500,))
    y_pred = (torch.floor(predictions(y_true) * 199) + 0.5) / 199
    weight = weights((500,)) if weighted else None
    expected = roc_auc_score(y_true, y_pred, sample_weight=weight)
    assert metrics.AUC()(y_true, y_pred, weight).item() == pytest.approx(expected, rel=1e-6)


def test_close_to_scikit_learn():
    y_true = labels((2000,))
    y_pred = predictions(y_true)
    assert metrics.AUC()(y_true, y_pred).item() == pytest.approx(roc_auc_score(y_true, y_pred), abs=1 / 199)
    precision = metrics.AUC(num_thresholds=2000, curve="PR")(y_true, y_pred).item()
    assert precision == pytest.approx(average_precision_score(y_true, y_pred), abs=0.005)


@pytest.mark.parametrize("count", [2, 3, 11, 22, 101, 200])
def test_predictions_on_thresholds(count):
    y_pred = torch.arange(count) / (count - 1)
    ours, theirs = metrics.AUC(num_thresholds=count), keras.metrics.AUC(num_thresholds=count)
    for metric in (ours, theirs):
        metric.update_state(torch.arange(count) % 2, y_pred)
    agree(ours, theirs)


@pytest.mark.parametrize("value", [0, 1])
@pytest.mark.parametrize("curve", ["ROC", "PR", "PRGAIN"])
def test_one_class(curve, value):
    ours, theirs = metrics.AUC(curve=curve), keras.metrics.AUC(curve=curve)
    for metric in (ours, theirs):
        metric.update_state(torch.full((8,), value), torch.linspace(0, 1, 8))
    agree(ours, theirs)


def test_counts_beyond_float32():
    """float32 would stop at 2**24 per interval."""
    auc = metrics.AUC(num_thresholds=3)
    auc.update_state([0, 1], [0.2, 0.8], sample_weight=[2.0**25, 2.0**25])
    auc.update_state([1], [0.8])
    assert auc._counts.max().item() == 2**25 + 1


FILES = [
    {},
    {"curve": "pr", "summation_method": "minoring", "name": "pr"},
    {"thresholds": [0.5, 0.25]},
    {"multi_label": True, "num_labels": 2, "label_weights": [1.0, 2.0], "from_logits": True},
]


@pytest.mark.parametrize("options", FILES, ids=str)
def test_files(options):
    options = {"name": "auc", **options}
    ours, theirs = metrics.AUC(**options), keras.metrics.AUC(**options)
    written, read = metrics.serialize(ours), keras.metrics.serialize(theirs)
    again = metrics.get(read)
    assert again.config() == ours.config()
    if "label_weights" in options:  # Keras writes a tensor of its own, and reads plain numbers as well
        written["config"].pop("label_weights"), read["config"].pop("label_weights")
    assert written == read
    opened = keras.metrics.deserialize(metrics.serialize(ours))
    np.testing.assert_allclose(opened.thresholds, ours.thresholds, rtol=1e-6)


def test_names():
    assert metrics.get("auc").name == "auc"
    assert metrics.get("AUC").name == "AUC"
    first, second = metrics.AUC(), metrics.AUC()
    assert first.name.startswith("auc")
    assert first.name != second.name


ERRORS = {
    "curve": ({"curve": "RIC"}, r"AUC 'auc' got curve='RIC'; it needs one of 'ROC', .* Did you mean 'ROC'\?"),
    "summation_method": ({"summation_method": "left"}, "got summation_method='left'; it needs one of 'interpolation'"),
    "num_thresholds": ({"num_thresholds": 1}, "got num_thresholds=1; it needs a whole number of at least 2."),
    "thresholds": (
        {"thresholds": [0.5, 1.5]},
        r"got thresholds=\[0.5, 1.5\]; it needs numbers from 0 to 1. Leave out the others; for logits end "
        "the model with a sigmoid",
    ),
    "num_labels": ({"num_labels": 3}, "got num_labels=3; it needs multi_label=True for it. Leave num_labels out."),
    "dtype": ({"dtype": "float64"}, "got dtype='float64'; it needs dtype='float32'"),
}


@pytest.mark.parametrize(("options", "text"), ERRORS.values(), ids=ERRORS)
def test_option_errors(options, text):
    with pytest.raises(UserError, match=text):
        metrics.AUC(name="auc", **options)


@pytest.mark.parametrize("value", [-0.5, 1.5, float("nan")])
@pytest.mark.parametrize("thresholds", [None, [0.2, 0.7]])
def test_predictions_outside_0_to_1(thresholds, value):
    auc = metrics.AUC(name="auc", thresholds=thresholds)
    auc.update_state([0, 1], [0.5, value])
    text = r"AUC 'auc' got predictions outside 0 to 1; it needs probabilities\. Pass from_logits=True, or end the model"
    with pytest.raises(UserError, match=text):
        auc.result()


def test_batches_that_do_not_fit():
    several = metrics.AUC(multi_label=True, name="auc")
    several.update_state(torch.eye(3), torch.eye(3))
    text = r"AUC 'auc' got predictions of shape \(2, 2\); it needs shape \(N, 3\) with multi_label=True. Leave"
    with pytest.raises(UserError, match=text):
        several.update_state(torch.eye(2), torch.eye(2))
    with pytest.raises(UserError, match=r"it needs shape \(N, L\) with multi_label=True"):
        metrics.AUC(multi_label=True).update_state([0, 1], [0.5, 0.5])
    with pytest.raises(UserError, match=r"it needs shape \(N, 4\) with multi_label=True"):
        metrics.AUC(multi_label=True, num_labels=4).update_state(torch.eye(3), torch.eye(3))
    for multi_label in (False, True):
        with pytest.raises(
            UserError, match=r"label_weights of shape \(2,\) for predictions \(3, 3\); it needs one weight"
        ):
            metrics.AUC(multi_label=multi_label, label_weights=[1, 2]).update_state(torch.eye(3), torch.eye(3))
    with pytest.raises(UserError, match=r"AUC '.*' got labels of shape \(3,\) for predictions of shape \(3, 3\)"):
        metrics.AUC().update_state([0, 1, 2], torch.eye(3))
    with pytest.raises(UserError, match=r"got sample_weight of shape \(2,\) for values of shape \(3, 3\)"):
        metrics.AUC().update_state(torch.eye(3), torch.eye(3), [1.0, 2.0])
