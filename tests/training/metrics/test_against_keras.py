"""Every metric but AUC against real Keras, over several batches. The cases are in `oracles/metric_cases.py`."""

import inspect
import os
from typing import Any

import numpy as np
import pytest
import torch
from sklearn import metrics as sklearn

os.environ.setdefault("KERAS_BACKEND", "torch")
import keras
from oracles.metric_cases import CONFUSION, TABLE, Row, binary, class_scores, integers, scores, whole

from striate.foundation.checks import UnsupportedError, UserError
from striate.foundation.names import clear_names as clear_session
from striate.layers.masks import put_mask
from striate.training import metrics

pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"),
    # Of R2Score, which then leaves the score as it is.
    pytest.mark.filterwarnings("ignore:More independent predictors than datapoints:UserWarning"),
    pytest.mark.filterwarnings("ignore:Division by zero in Adjusted R2:UserWarning"),
]


CASES = [
    pytest.param(row, options, *batch, id=f"{row.name} {options} {name}")
    for row in TABLE
    for options in row.options
    for name, batch in row.batches().items()
    if name not in row.without
]


def agree(ours: torch.Tensor, theirs: torch.Tensor) -> None:
    assert ours.dtype == torch.float32
    torch.testing.assert_close(ours, theirs.to(torch.float32), rtol=1e-5, atol=1e-7, equal_nan=True)


def has_one_value(row: Row, options: dict[str, Any], y_true: torch.Tensor, y_pred: torch.Tensor) -> bool:
    """Whether the last axis, over which it takes the mean, is the only one."""
    metric = getattr(metrics, row.name)(**options)
    return isinstance(metric, metrics.MeanMetricWrapper) and not metric.apply(y_true, y_pred).ndim


WEIGHED = [case for case in CASES if not has_one_value(*case.values) and case.values[0].weights]
ONE_VALUE = [case for case in CASES if has_one_value(*case.values)]


@pytest.mark.parametrize(("row", "options", "y_true", "y_pred"), CASES)
def test_results(row, options, y_true, y_pred):
    check_results(row, options, y_true, y_pred, weighted=())


@pytest.mark.parametrize("weighted", [(0, 1, 2), (1,)], ids=["all", "some"])
@pytest.mark.parametrize(("row", "options", "y_true", "y_pred"), WEIGHED)
def test_weighted_results(row, options, y_true, y_pred, weighted):
    check_results(row, options, y_true, y_pred, weighted)


@pytest.mark.parametrize(("row", "options", "y_true", "y_pred"), ONE_VALUE)
def test_one_value_for_the_whole_batch_takes_no_weights(row, options, y_true, y_pred):
    with pytest.raises(RuntimeError):
        getattr(keras.metrics, row.name)(**options).update_state(y_true, y_pred, scores((6,)))
    text = r"got sample_weight of shape \(6,\) for values of shape \(\); .* Give predictions a last axis, \(N, 1\)"
    with pytest.raises(UserError, match=text):
        getattr(metrics, row.name)(**options).update_state(y_true, y_pred, scores((6,)))


def weight_for_keras(row: Row, options: dict[str, Any], weight: torch.Tensor, y_true: torch.Tensor) -> torch.Tensor:
    """Weights (N,) in the form that Keras wants where it does not align them from the first axis."""
    spread = weight.reshape(-1, *[1] * (y_true.ndim - 1)).expand(y_true.shape).clone()
    if row.batches is class_scores or (row in CONFUSION and y_true.ndim > 1):
        return spread[..., 0]
    # Pixel by pixel; Keras writes into them.
    return spread if "ignore_class" in options or row.name.endswith("IoU") else weight


def check_results(row, options, y_true, y_pred, weighted):
    """Over three batches, whose weights are given where `weighted` has their index."""
    ours, theirs = getattr(metrics, row.name)(**options), getattr(keras.metrics, row.name)(**options)
    before = y_true.clone(), y_pred.clone()
    for index, size in enumerate((len(y_true), len(y_true) // 2, 1)):
        weight = scores((size,)) if index in weighted else None
        keras_weight = None if weight is None else weight_for_keras(row, options, weight, y_true[:size])
        ours.update_state(y_true[:size], y_pred[:size], weight)
        theirs.update_state(y_true[:size], y_pred[:size], keras_weight)
        agree(ours.result(), theirs.result())
    for metric in (ours, theirs):
        metric.reset_state()
    # One of several numbers does not know here how many they will be; Keras remembers it.
    agree(ours.result().expand(theirs.result().shape), theirs.result())
    agree(ours(y_true, y_pred), theirs(y_true, y_pred))
    assert torch.equal(y_true, before[0])
    assert torch.equal(y_pred, before[1])


@pytest.mark.parametrize("weight", [None, (6,), (6, 1), (6, 4)])
def test_weights_of_several_values(weight):
    ours, theirs = metrics.BinaryAccuracy(), keras.metrics.BinaryAccuracy()
    weight = None if weight is None else scores(weight)
    agree(ours(*binary()["(N,L) booleans"], weight), theirs(*binary()["(N,L) booleans"], weight))


@pytest.mark.parametrize("weight", [None, (2,), (2, 1, 1), (2, 3, 1), (2, 3, 4)])
@pytest.mark.parametrize("name", ["SparseCategoricalAccuracy", "SparseCategoricalCrossentropy"])
def test_weights_of_maps(name, weight):
    ours, theirs = getattr(metrics, name)(), getattr(keras.metrics, name)()
    weight = None if weight is None else scores(weight)
    agree(ours(*whole()["(N,H,W)"], weight), theirs(*whole()["(N,H,W)"], weight))


@pytest.mark.parametrize("weight", [None, 0.0, 3.0, "samples"])
@pytest.mark.parametrize("shape", [(), (5,), (5, 3), (5, 2, 2)])
def test_mean(shape, weight):
    ours, theirs = metrics.Mean(), keras.metrics.Mean()
    if weight == "samples":
        weight = scores(shape[:1])
    elif weight is not None and shape:
        weight = torch.full(shape[:1], weight)
    for factor in (1.0, 0.5):
        ours.update_state(scores(shape) * factor, weight)
        theirs.update_state(scores(shape) * factor, weight)
    agree(ours.result(), theirs.result())


@pytest.mark.parametrize("weight", [None, 0.5, "samples", "values"])
@pytest.mark.parametrize("shape", [(), (5,), (5, 3), (5, 2, 2)])
def test_sum(shape, weight):
    ours, theirs = metrics.Sum(), keras.metrics.Sum()
    if weight in ("samples", "values"):
        weight = scores(shape[:1] if weight == "samples" else shape)
    elif weight is not None and shape:
        weight = torch.full(shape[:1], weight)
    for factor in (1.0, 0.5):
        ours.update_state(scores(shape) * factor, weight)
        theirs.update_state(scores(shape) * factor, weight)
        agree(ours.result(), theirs.result())
    ours.reset_state()
    assert ours.result() == 0


FORGOTTEN = ("CosineSimilarity", {"axis": 1})  # Keras leaves the axis out of files


@pytest.mark.parametrize(
    ("name", "options"),
    [(row.name, options) for row in TABLE for options in row.options if (row.name, options) != FORGOTTEN]
    + [("Mean", {}), ("Sum", {})],
)
def test_files(name, options):
    clear_session()
    keras.utils.clear_session()
    ours, theirs = getattr(metrics, name)(**options), getattr(keras.metrics, name)(**options)
    assert metrics.serialize(ours) == keras.metrics.serialize(theirs)
    assert keras.metrics.deserialize(metrics.serialize(ours)).get_config() == theirs.get_config()
    again = metrics.get(keras.metrics.serialize(theirs))
    assert type(again) is type(ours)
    assert again.get_config() == ours.config()
    renamed = type(ours)(name="other", **options)
    assert renamed.config()["name"] == renamed.name == "other"


@pytest.mark.parametrize("name", {row.name: None for row in TABLE} | dict.fromkeys(("Mean", "Sum", "AUC")))
def test_arguments_are_those_of_keras(name):
    ours = inspect.signature(getattr(metrics, name)).parameters
    theirs = inspect.signature(getattr(keras.metrics, name)).parameters
    assert list(ours) == list(theirs)
    for argument in ours:
        if argument != "name":
            assert ours[argument].default == theirs[argument].default


@pytest.mark.parametrize("name", {row.name: None for row in TABLE})
def test_automatic_names_are_those_of_keras(name):
    options = next(row.options[-1] for row in TABLE if row.name == name)
    clear_session()
    keras.utils.clear_session()
    for _ in range(2):
        assert getattr(metrics, name)(**options).name == getattr(keras.metrics, name)(**options).name


def test_every_metric_of_keras_is_there_or_refused_by_name():
    others = ("pearson_correlation", "concordance_correlation", "PearsonCorrelation", "ConcordanceCorrelation")
    for name in filter(str.isidentifier, dir(keras.metrics)):
        if name[0] != "_" and name not in others:
            assert name in metrics.__all__
    for name in others:
        with pytest.raises(UnsupportedError, match=f"got metric {name!r}; .* striate does not have this Keras metric"):
            metrics.get(name)


@pytest.mark.parametrize("name", ["MeanSquaredError", "BinaryAccuracy", "CategoricalCrossentropy", "KLDivergence"])
@pytest.mark.parametrize("weighted", [False, True])
def test_masks_of_predictions(name, weighted):
    y_pred = scores((2, 3, 4)) + 0.05
    y_true = torch.nn.functional.one_hot(integers((2, 3), 4), 4)
    mask = torch.tensor([[True, True, False], [True, False, False]])
    if name == "BinaryAccuracy":  # gives a value for each unit
        mask = mask[..., None].expand(2, 3, 4)
    weight = scores(mask.shape) if weighted else None
    one, two = y_pred.clone(), y_pred.clone()
    put_mask(one, mask)
    keras.src.backend.set_keras_mask(two, mask)
    ours, theirs = getattr(metrics, name)(), getattr(keras.metrics, name)()
    for _ in range(2):
        keras_weight = None if weight is None else weight.clone()
        agree(ours(y_true, one, weight), theirs(y_true, two, keras_weight))
    assert ours.result() != getattr(metrics, name)()(y_true, y_pred)


def test_halves_of_a_whole_weight():
    """Keras cuts fractions off and warns; here they are refused, or counted if the dtype can."""
    y_true, y_pred, weight = torch.tensor([0, 1]), torch.tensor([0, 0]), torch.tensor([0.5, 1.0])
    metric = metrics.MeanIoU(2, name="overlap")
    metric.update_state(y_true, y_pred, weight)
    text = "MeanIoU 'overlap' got sample weights with fractions; it needs whole numbers with dtype='int32'. Make it "
    with pytest.raises(UserError, match=text + r"MeanIoU\(..., dtype='float32'\)."):
        metric.result()
    metric.reset_state()
    theirs = keras.metrics.MeanIoU(2)
    agree(metric(y_true, y_pred, weight * 2), theirs(y_true, y_pred, (weight * 2).int()))


# Against scikit-learn ----------------------------------------------------------------------------------------------


def test_shares_agree_with_scikit_learn():
    y_true, y_pred, weight = integers((50,), 2), scores((50,)), scores((50,))
    said = y_pred > 0.5
    for name, share in (("Precision", sklearn.precision_score), ("Recall", sklearn.recall_score)):
        expected = share(y_true, said, sample_weight=weight)
        assert getattr(metrics, name)()(y_true, y_pred, weight).item() == pytest.approx(expected, rel=1e-6)
    (tn, fp), (fn, tp) = sklearn.confusion_matrix(y_true, said)
    names = ("TrueNegatives", "FalsePositives", "FalseNegatives", "TruePositives")
    assert [getattr(metrics, name)()(y_true, y_pred).item() for name in names] == [tn, fp, fn, tp]


@pytest.mark.parametrize("average", [None, "micro", "macro", "weighted"])
@pytest.mark.parametrize("beta", [0.5, 1.0, 2.0])
def test_scores_agree_with_scikit_learn(beta, average):
    y_true, y_pred, weight = integers((50, 4), 2), scores((50, 4)), scores((50,))
    ours = metrics.FBetaScore(average, beta, threshold=0.5)(y_true, y_pred, weight)
    expected = sklearn.fbeta_score(y_true, y_pred > 0.5, beta=beta, average=average, sample_weight=weight)
    np.testing.assert_allclose(ours, expected, rtol=1e-5)


def test_overlap_agrees_with_scikit_learn():
    y_true, y_pred = integers((60,), 4), integers((60,), 4).flip(0)
    expected = sklearn.jaccard_score(y_true, y_pred, average=None)
    assert metrics.MeanIoU(4)(y_true, y_pred).item() == pytest.approx(expected.mean(), rel=1e-6)
    assert metrics.IoU(4, [2])(y_true, y_pred).item() == pytest.approx(expected[2], rel=1e-6)


@pytest.mark.parametrize("way", [None, "uniform_average", "variance_weighted_average"])
def test_r2_agrees_with_scikit_learn(way):
    y_true, y_pred, weight = scores((50, 3)), scores((50, 3)).flip(0), scores((50,))
    named = {None: "raw_values", "variance_weighted_average": "variance_weighted"}.get(way, way)
    expected = sklearn.r2_score(y_true, y_pred, sample_weight=weight, multioutput=named)
    np.testing.assert_allclose(metrics.R2Score(way)(y_true, y_pred, weight), expected, rtol=1e-5)


def test_distances_agree_with_scikit_learn():
    y_true, y_pred = scores((50, 1)) + 0.5, scores((50, 1)).flip(0)
    for name, distance in (
        ("MeanAbsoluteError", sklearn.mean_absolute_error),
        ("RootMeanSquaredError", sklearn.root_mean_squared_error),
        ("MeanSquaredLogarithmicError", sklearn.mean_squared_log_error),
        ("MeanAbsolutePercentageError", lambda a, b: 100 * sklearn.mean_absolute_percentage_error(a, b)),
    ):
        assert getattr(metrics, name)()(y_true, y_pred).item() == pytest.approx(distance(y_true, y_pred), rel=1e-5)
