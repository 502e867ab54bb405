"""The table of metrics: each with the batches it is tried on and the options it has; AUC has tests of its own."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

Batch = tuple[torch.Tensor, torch.Tensor]


def scores(shape: tuple[int, ...]) -> torch.Tensor:
    """Probabilities in steps of 0.05, so that ties and values at thresholds are common."""
    return torch.from_numpy(np.asarray(np.random.default_rng(1).integers(0, 21, shape) / 20, "float32"))


def integers(shape: tuple[int, ...], classes: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(2).integers(0, classes, shape))


def equal() -> dict[str, Batch]:
    return {
        "(N,)": (integers((6,), 3), integers((6,), 3).flip(0)),
        "(N,) beside (N,1)": (integers((6,), 3), integers((6, 1), 3).flip(0)),
        "(N,L)": (integers((6, 4), 3).float(), integers((6, 4), 3).flip(0)),
        "(N,H,W,C)": (integers((2, 3, 4, 2), 3), integers((2, 3, 4, 2), 3).flip(0)),
    }


def binary() -> dict[str, Batch]:
    return {
        "(N,)": (integers((6,), 2), scores((6,))),
        "(N,) beside (N,1)": (integers((6,), 2).float(), scores((6, 1))),
        "(N,1) beside (N,)": (integers((6, 1), 2), scores((6,))),
        "(N,L) booleans": (integers((6, 4), 2).bool(), scores((6, 4))),
        "(N,H,W,C)": (integers((2, 3, 4, 2), 2).byte(), scores((2, 3, 4, 2))),
        "soft labels": (scores((6, 1)).flip(0), scores((6, 1))),
        "all right": (torch.ones(4, 1), torch.ones(4, 1)),
        "all zeros": (torch.zeros(4, 1), torch.zeros(4, 1)),
    }


def one_hot() -> dict[str, Batch]:
    hot = torch.nn.functional.one_hot
    return {
        "(N,C)": (hot(integers((7,), 6), 6).float(), scores((7, 6))),
        "(N,C) integers": (hot(integers((7,), 6), 6), scores((7, 6))),
        "(N,H,W,C)": (hot(integers((2, 3, 4), 6), 6), scores((2, 3, 4, 6))),
        "all right": (torch.eye(6), torch.eye(6)),
    }


def whole() -> dict[str, Batch]:
    return {
        "(N,)": (integers((7,), 6), scores((7, 6))),
        "(N,1)": (integers((7, 1), 6), scores((7, 6))),
        "(N,) floats": (integers((7,), 6).float(), scores((7, 6))),
        "(N,) bytes": (integers((7,), 6).byte(), scores((7, 6))),
        "(N,H,W)": (integers((2, 3, 4), 6), scores((2, 3, 4, 6))),
        "all right": (torch.arange(6), torch.eye(6)),
    }


def sorted_ids() -> dict[str, Batch]:
    return {"(N,)": (integers((7,), 6), scores((7, 6)).argsort(-1, descending=True))}


def signs() -> dict[str, Batch]:
    return {
        "(N,)": (integers((6,), 2) * 2 - 1, scores((6,)) * 3 - 1),
        "(N,L) 0 and 1": (integers((6, 4), 2), scores((6, 4)) * 3 - 1),
        "(N,H,W,C)": (integers((2, 3, 4, 2), 2) * 2 - 1, scores((2, 3, 4, 2)) * 3 - 1),
        "all zeros": (torch.zeros(4, 1), torch.zeros(4, 1)),
    }


def columns() -> dict[str, Batch]:
    """Quantities (N, L)."""
    return {
        "(N,1)": (scores((6, 1)).flip(0) * 4 - 1, scores((6, 1)) * 3),
        "(N,L)": (scores((6, 4)).flip(0) * 4 - 1, scores((6, 4)) * 3),
        "(N,L) integers": (integers((6, 4), 9), scores((6, 4)) * 9),
        "labels without variance": (torch.zeros(6, 2), scores((6, 2)) + 0.5),
    }


def rows() -> dict[str, Batch]:
    """Labels and scores (N, C)."""
    hot = torch.nn.functional.one_hot
    return {
        "one-hot": (hot(integers((7,), 6), 6), scores((7, 6))),
        "several at once": (integers((7, 6), 2).float(), scores((7, 6))),
        "booleans": (integers((7, 6), 2).bool(), scores((7, 6))),
        "all right": (torch.eye(6), torch.eye(6)),
        "all zeros": (torch.zeros(6, 3), torch.zeros(6, 3)),
        "nothing predicted": (torch.ones(6, 3), torch.zeros(6, 3)),
        "one class": (integers((7, 1), 2), scores((7, 1))),
    }


def classes() -> dict[str, Batch]:
    """Class numbers of pixels, some of them no class."""
    return {
        "(N,)": (integers((9,), 4), integers((9,), 4).flip(0)),
        "(N,) floats": (integers((9,), 4).float(), integers((9,), 4).flip(0).float()),
        "(N,H,W)": (integers((3, 4, 5), 4), integers((3, 4, 5), 4).flip(0)),
        "(N,H,W) beside (N,H,W,1)": (integers((3, 4, 5), 4), integers((3, 4, 5, 1), 4).flip(0)),
        "bytes with 255": (torch.tensor([0, 255, 1, 1, 255, 0], dtype=torch.uint8), integers((6,), 4)),
        "beyond": (integers((9,), 6) - 1, integers((9,), 6).flip(0) - 1),
        "all zeros": (torch.zeros(4), torch.zeros(4)),
    }


def class_scores() -> dict[str, Batch]:
    """One-hot labels and scores of 4 classes."""
    hot = torch.nn.functional.one_hot
    return {
        "(N,C)": (hot(integers((9,), 4), 4), scores((9, 4))),
        "(N,H,W,C)": (hot(integers((3, 4, 5), 4), 4).float(), scores((3, 4, 5, 4))),
    }


@dataclass
class Row:
    """A metric, the batches it is tried on and the options it has."""

    name: str
    batches: Callable[[], dict[str, Batch]]
    options: list[dict[str, Any]] = field(default_factory=lambda: [{}])
    without: tuple[str, ...] = ()  # batches that Keras refuses, or gets wrong by broadcasting
    weights: bool = True  # whether sample weights with fractions have a meaning


BESIDE = ("(N,) beside (N,1)", "(N,1) beside (N,)")
CROSSENTROPY: list[dict[str, Any]] = [{}, {"from_logits": True}, {"label_smoothing": 0.2}]
THRESHOLDS: list[dict[str, Any]] = [
    {},
    {"thresholds": 0.25},
    {"thresholds": [0.75]},
    {"thresholds": [0.9, 0.25, 0.5]},
    {"thresholds": [0.0, 0.25, 0.5, 0.75, 1.0]},
    {"thresholds": [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]},
]
RANKED: list[dict[str, Any]] = [
    {"top_k": 1},
    {"top_k": 3},
    {"top_k": 2, "class_id": 1},
    {"class_id": 0},
    {"class_id": 5, "thresholds": [0.25, 0.5]},
    {"top_k": 2, "thresholds": [0.0, 0.5, 1.0]},
]
POINTS: list[dict[str, Any]] = [{}, {"num_thresholds": 1}, {"num_thresholds": 2}, {"num_thresholds": 21}]
AVERAGES: list[dict[str, Any]] = [
    {"average": average, **options}
    for average in (None, "micro", "macro", "weighted")
    for options in ({}, {"threshold": 0.5}, {"threshold": 0.25})
]
FEW = ("all zeros", "nothing predicted", "one class")  # fewer classes than these options speak of
CONFUSION = [
    *(Row(name, binary, THRESHOLDS) for name in ("TruePositives", "TrueNegatives", "FalsePositives", "FalseNegatives")),
    *(Row(name, binary, THRESHOLDS) for name in ("Precision", "Recall")),
    *(Row(name, rows, RANKED, without=FEW) for name in ("Precision", "Recall")),
    *(
        Row(name, binary, [*({argument: value} for value in (0.0, 0.8, 1.0)), *({argument: 0.5, **o} for o in POINTS)])
        for name, argument in (
            ("SensitivityAtSpecificity", "specificity"),
            ("SpecificityAtSensitivity", "sensitivity"),
            ("PrecisionAtRecall", "recall"),
            ("RecallAtPrecision", "precision"),
        )
    ),
    Row("RecallAtPrecision", rows, [{"precision": 0.5, "class_id": 2}], without=FEW),
]
IOU = [
    Row("IoU", classes, [{"num_classes": 4, "target_class_ids": ids} for ids in ([0], [1, 3], [0, 1, 2, 3])]),
    Row("IoU", classes, [{"num_classes": 3, "target_class_ids": [2], "ignore_class": 1}]),
    Row("BinaryIoU", binary, [{}, {"threshold": 0.3}, {"target_class_ids": [0]}], without=("soft labels",)),
    Row("MeanIoU", classes, [{"num_classes": 4}, {"num_classes": 5, "ignore_class": 0}, {"num_classes": 1}]),
    Row("MeanIoU", class_scores, [{"num_classes": 4, "sparse_y_true": False, "sparse_y_pred": False}]),
    Row("OneHotIoU", class_scores, [{"num_classes": 4, "target_class_ids": [1, 2]}]),
    Row("OneHotMeanIoU", class_scores, [{"num_classes": 4}, {"num_classes": 4, "ignore_class": 2}]),
]
TABLE = [
    Row("Accuracy", equal),
    Row("BinaryAccuracy", binary, [{}, {"threshold": 0.25}, {"threshold": 0}]),
    Row("CategoricalAccuracy", one_hot),
    Row("SparseCategoricalAccuracy", whole),
    Row("TopKCategoricalAccuracy", one_hot, [{}, {"k": 1}, {"k": 3}, {"k": 6}]),
    Row("SparseTopKCategoricalAccuracy", whole, [{}, {"k": 1}, {"k": 3}, {"k": 6}]),
    Row("SparseTopKCategoricalAccuracy", sorted_ids, [{"k": 2, "from_sorted_ids": True}]),
    Row("BinaryCrossentropy", binary, CROSSENTROPY, without=BESIDE),
    Row("CategoricalCrossentropy", one_hot, CROSSENTROPY),
    Row("SparseCategoricalCrossentropy", whole, [{}, {"from_logits": True}, {"ignore_class": 1}]),
    Row("MeanSquaredError", binary),
    Row("MeanAbsoluteError", binary),
    Row("MeanAbsolutePercentageError", binary),
    Row("MeanSquaredLogarithmicError", binary),
    Row("RootMeanSquaredError", binary),
    Row("LogCoshError", binary),
    Row("CosineSimilarity", binary),
    Row("CosineSimilarity", columns, [{"axis": 1}]),
    Row("KLDivergence", one_hot),
    Row("Poisson", binary, without=BESIDE),
    Row("Hinge", signs),
    Row("SquaredHinge", signs),
    Row("CategoricalHinge", one_hot),
    Row(
        "R2Score",
        columns,
        [
            {"class_aggregation": way, "num_regressors": count}
            for way in (None, "uniform_average", "variance_weighted_average")
            for count in (0, 1, 2)
        ],
    ),
    Row("F1Score", rows, AVERAGES),
    Row("FBetaScore", rows, [{}, *({"beta": beta, **options} for beta in (0.5, 2.0) for options in AVERAGES)]),
    *CONFUSION,
    *(Row(row.name, row.batches, row.options, row.without, weights=False) for row in IOU),
    *(Row(row.name, row.batches, [{**o, "dtype": "float32"} for o in row.options], row.without) for row in IOU),
]
