import os

import pytest
import torch

os.environ.setdefault("KERAS_BACKEND", "torch")
import keras

from striate.foundation.checks import UserError
from striate.layers.masks import put_mask
from striate.training import losses, metrics

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")


def largest_error(y_true: torch.Tensor, y_pred: torch.Tensor) -> torch.Tensor:
    return (y_true - y_pred).abs().amax(-1)


def masked(value: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    put_mask(value, mask)
    return value


NAMES = [
    ("accuracy", (6,), (6, 1)),
    ("accuracy", (6, 1), (6, 1)),
    ("acc", (6,), (6, 4)),
    ("accuracy", (6, 1), (6, 4)),
    ("accuracy", (6, 4), (6, 4)),
    ("Accuracy", (6, 3, 3), (6, 3, 3, 4)),
    ("accuracy", (6, 3, 3, 1), (6, 3, 3, 1)),
    ("binary_accuracy", (6, 1), (6, 1)),
    ("BinaryAccuracy", (6, 1), (6, 1)),
    ("sparse_categorical_accuracy", (6,), (6, 4)),
    ("sparse_top_k_categorical_accuracy", (6,), (6, 7)),
    ("auc", (6, 1), (6, 1)),
    ("mse", (6, 1), (6, 1)),
    ("MSE", (6, 1), (6, 1)),
    ("mae", (6, 1), (6, 1)),
    ("MAPE", (6, 1), (6, 1)),
    ("msle", (6, 1), (6, 1)),
    ("precision", (6, 1), (6, 1)),
    ("recall", (6, 1), (6, 1)),
    ("f1_score", (6, 2), (6, 2)),
    ("root_mean_squared_error", (6, 1), (6, 1)),
    ("cosine_similarity", (6, 3), (6, 3)),
    ("log_cosh_error", (6, 1), (6, 1)),
    ("bce", (6, 1), (6, 1)),
    ("binary_crossentropy", (6, 1), (6, 1)),
]


@pytest.mark.parametrize(("name", "true_shape", "pred_shape"), NAMES)
def test_names_mean_what_keras_compile_means(name, true_shape, pred_shape):
    theirs = keras.src.trainers.compile_utils.get_metric(name, torch.zeros(true_shape), torch.zeros(pred_shape))
    ours = metrics.get(name, (None, *true_shape[1:]), (None, *pred_shape[1:]))
    assert type(ours).__name__ == type(theirs).__name__
    assert ours.name == theirs.name == name


@pytest.mark.parametrize(
    ("shapes", "loss", "expected"),
    [
        (((None,), (None, 1)), None, metrics.BinaryCrossentropy),
        (((None,), (None,)), None, metrics.BinaryCrossentropy),
        (((None,), (None, 9)), None, metrics.SparseCategoricalCrossentropy),
        (((None, 9), (None, 9)), None, metrics.CategoricalCrossentropy),
        ((None, (None, 9)), "sparse_categorical_crossentropy", metrics.SparseCategoricalCrossentropy),
        ((None, (None, 9)), "categorical_crossentropy", metrics.CategoricalCrossentropy),
        ((None, (None, 1)), "binary_crossentropy", metrics.BinaryCrossentropy),
        ((None, None), "sparse_categorical_crossentropy", metrics.SparseCategoricalCrossentropy),
    ],
)
@pytest.mark.parametrize("name", ["crossentropy", "ce"])
def test_crossentropy_chooses_by_shapes_or_loss(name, shapes, loss, expected):
    metric = metrics.get(name, *shapes, loss=None if loss is None else losses.get(loss))
    assert type(metric) is expected
    assert metric.name == name


def test_functions():
    metric = metrics.get(largest_error)
    assert metric.name == "largest_error"
    y_true, y_pred = torch.tensor([[1.0, 2.0], [0.0, 0.0]]), torch.tensor([[1.0, 4.0], [1.0, 0.0]])
    assert metric(y_true, y_pred).item() == 1.5
    assert metrics.serialize(largest_error) == keras.metrics.serialize(largest_error)
    assert metrics.serialize(metric) == metrics.serialize(largest_error)
    form = metrics.serialize(metrics.MeanMetricWrapper(largest_error, name="error"))
    opened = keras.metrics.deserialize(form, custom_objects={"largest_error": largest_error})
    assert opened(y_true, y_pred).item() == 1.5
    for saved in (form, metrics.serialize(largest_error)):
        with pytest.raises(
            UserError, match=r"saved metric 'largest_error' got only a function's name; .* no code is read"
        ):
            metrics.get(saved)


def test_losses_and_their_functions_are_metrics():
    y_true, y_pred = torch.tensor([[1.0, 2.0], [0.0, 0.0]]), torch.tensor([[1.0, 4.0], [1.0, 0.0]])
    for identifier in (losses.mean_squared_error, losses.MeanSquaredError(), metrics.MeanSquaredError):
        metric = metrics.get(identifier)
        assert metric.name == "mean_squared_error"
        assert metric(y_true, y_pred).item() == 1.25
    theirs = keras.metrics.MeanMetricWrapper(keras.losses.mean_squared_error, name="error")
    again = metrics.get(keras.metrics.serialize(theirs))
    assert again.config() == theirs.get_config()
    assert again(y_true, y_pred).item() == 1.25
    saved = metrics.get(keras.metrics.serialize(keras.losses.mean_squared_error))
    assert type(saved) is metrics.MeanSquaredError
    saved = metrics.get(keras.metrics.serialize(keras.losses.huber))  # a function without a metric's class
    assert (saved.name, saved(y_true, y_pred).item()) == ("huber", 0.5)
    again = metrics.get(metrics.serialize(metrics.MeanMetricWrapper(losses.huber, name="h", delta=2.0)))
    assert again.config()["delta"] == 2.0


def test_objects_stay_themselves():
    metric = metrics.BinaryAccuracy(name="mine")
    assert metrics.get(metric) is metric
    assert type(metrics.get(metrics.BinaryAccuracy)) is metrics.BinaryAccuracy


ERRORS = {
    "typing error": (
        lambda: metrics.get("binary_acuracy"),
        r"Metric got metric 'binary_acuracy'; it needs a known metric. Did you mean 'BinaryAccuracy'\?",
    ),
    "unknown name": (lambda: metrics.get("xyz"), "Choose one of 'Mean', "),
    "no metric": (lambda: metrics.get(None), "got metric None; it needs the name of a known metric, or a Metric."),
    "accuracy without labels": (
        lambda: metrics.get("accuracy", y_pred_shape=(None, 3)),
        "Metric 'accuracy' got a name with several meanings; it needs the shapes of labels and predictions to choose "
        "by. Name it in full, for example 'binary_...'.",
    ),
    "unknown argument in a file": (
        lambda: metrics.get({"class_name": "BinaryAccuracy", "config": {"treshold": 0.5}}),
        r"BinaryAccuracy got an unknown argument treshold=0.5; .* Did you mean 'threshold'\?",
    ),
    "dtype": (lambda: metrics.Mean(dtype="float16"), "Mean 'mean' got dtype='float16'; it needs dtype='float32'"),
    "k": (lambda: metrics.TopKCategoricalAccuracy(k=0), "got k=0; it needs a whole number of at least 1."),
    "k beyond classes": (
        lambda: metrics.SparseTopKCategoricalAccuracy()(torch.tensor([1]), torch.zeros(1, 3)),
        "sparse_top_k_categorical_accuracy got k=5; it needs k of at most 3, the number of classes. Pass a smaller k, "
        "for example 2.",
    ),
    "threshold": (lambda: metrics.BinaryAccuracy(threshold="half"), "got threshold='half'; it needs a number."),
    "thresholds": (
        lambda: metrics.Precision(thresholds=[0.5, 2]),
        r"Precision got thresholds=\[0.5, 2\]; it needs numbers from 0 to 1. Leave out the others; for logits end the",
    ),
    "class_id": (lambda: metrics.Recall(class_id=-1), "got class_id=-1; it needs a whole number of at least 0."),
    "class_id beyond classes": (
        lambda: metrics.Recall(class_id=3, name="r")(torch.zeros(2, 3), torch.zeros(2, 3)),
        r"Recall 'r' got predictions of shape \(2, 3\) with class_id=3; it needs class_id of at most 2, by the last",
    ),
    "top_k beyond classes": (
        lambda: metrics.Precision(top_k=4)(torch.zeros(2, 3), torch.zeros(2, 3)),
        r"got predictions of shape \(2, 3\) with top_k=4; it needs top_k of at most 3",
    ),
    "specificity": (
        lambda: metrics.SensitivityAtSpecificity(1.5),
        "SensitivityAtSpecificity got specificity=1.5; it needs a number from 0 to 1. Change specificity.",
    ),
    "num_thresholds": (lambda: metrics.PrecisionAtRecall(0.5, num_thresholds=0), "got num_thresholds=0; it needs a"),
    "average": (
        lambda: metrics.F1Score(average="makro"),
        r"F1Score 'f1_score' got average='makro'; it needs one of 'micro', 'macro', 'weighted'. Did you mean 'macro'\?",
    ),
    "beta": (lambda: metrics.FBetaScore(beta=0), "FBetaScore 'fbeta_score' got beta=0; it needs a number above 0."),
    "F threshold": (lambda: metrics.F1Score(threshold=0), "got threshold=0; it needs a number above 0 and up to 1, or"),
    "F shapes": (
        lambda: metrics.F1Score()(torch.zeros(3), torch.zeros(3)),
        r"got predictions of shape \(3,\); it needs shape \(N, C\). Pass one-hot labels and predictions, or one column",
    ),
    "class_aggregation": (
        lambda: metrics.R2Score("mean"),
        "R2Score 'r2_score' got class_aggregation='mean'; it needs one of 'uniform_average', 'variance_weighted_",
    ),
    "num_regressors": (lambda: metrics.R2Score(num_regressors=-1), "got num_regressors=-1; it needs a whole number of"),
    "R2 shapes": (
        lambda: metrics.R2Score()(torch.zeros(3), torch.zeros(3)),
        r"got predictions of shape \(3,\); it needs shape \(N, L\). Give predictions a last axis, \(N, 1\).",
    ),
    "num_classes": (lambda: metrics.MeanIoU(0), "MeanIoU got num_classes=0; it needs a whole number of at least 1."),
    "target_class_ids": (
        lambda: metrics.IoU(2, [2], name="i"),
        r"IoU 'i' got target_class_ids=\[2\]; it needs a list of classes from 0 to 1. Pass for example target",
    ),
    "scores of other classes": (
        lambda: metrics.OneHotMeanIoU(3, name="i")(torch.zeros(2, 4), torch.zeros(2, 4)),
        r"OneHotMeanIoU 'i' got y_true of shape \(2, 4\); it needs num_classes=3 scores along axis -1. Change num_",
    ),
    "scores for class numbers": (
        lambda: metrics.MeanIoU(3)(torch.zeros(2), torch.zeros(2, 3)),
        r"got 2 labels, shape \(2,\), for 6 predicted classes; .* For scores of each class pass sparse_y_pred=False",
    ),
    "IoU dtype": (lambda: metrics.MeanIoU(2, dtype="float16"), "got dtype='float16'; it needs dtype='float32'"),
    "only a name": (
        lambda: metrics.get("mean_io_u"),
        r"Metric 'mean_io_u' got only a name; it needs its arguments \(.*num_classes.*\). Make it yourself",
    ),
    "a mask that does not fit": (
        lambda: metrics.MeanSquaredError()(torch.zeros(2, 3), masked(torch.zeros(2, 3), torch.ones(2, 3))),
        r"got a mask of shape \(2, 3\) for values of shape \(2,\); .* End the mask before the output",
    ),
    "labels of another shape": (
        lambda: metrics.BinaryAccuracy()(torch.zeros(3), torch.zeros(3, 2)),
        r"binary_accuracy got labels of shape \(3,\) for predictions of shape \(3, 2\)",
    ),
    "one-hot for sparse": (
        lambda: metrics.SparseCategoricalAccuracy()(torch.eye(3), torch.eye(3)),
        r"sparse_categorical_accuracy got labels of shape \(3, 3\) .* For one-hot labels use categorical_",
    ),
    "weights that do not fit": (
        lambda: metrics.BinaryAccuracy()(torch.zeros(3), torch.zeros(3, 1), [1.0, 2.0]),
        r"BinaryAccuracy 'binary_accuracy' got sample_weight of shape \(2,\) for values of shape \(3, 1\)",
    ),
}


@pytest.mark.parametrize(("make", "text"), ERRORS.values(), ids=ERRORS)
def test_errors(make, text):
    with pytest.raises(UserError, match=text):
        make()
