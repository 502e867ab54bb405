"""The table of losses: each with the batches it is tried on and the options it has."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

Batch = tuple[torch.Tensor, torch.Tensor]


def logits(shape: tuple[int, ...]) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(1).normal(0, 3, shape).astype("float32"))


def integers(shape: tuple[int, ...], classes: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(2).integers(0, classes, shape))


def binary() -> dict[str, Batch]:
    extremes = torch.tensor([[0.0], [1.0], [0.0], [1.0], [1e-7], [1 - 1e-7], [1e-9], [0.5]])
    labels = torch.tensor([[0.0], [1.0], [1.0], [0.0], [1.0], [0.0], [1.0], [0.25]])
    return {
        "(N,)": (integers((6,), 2).float(), logits((6,)).sigmoid()),
        "(N,1)": (integers((6, 1), 2).float(), logits((6, 1)).sigmoid()),
        "(N,) beside (N,1)": (integers((6,), 2), logits((6, 1)).sigmoid()),
        "(N,1) beside (N,)": (integers((6, 1), 2), logits((6,)).sigmoid()),
        "(N,L) booleans": (integers((6, 4), 2).bool(), logits((6, 4)).sigmoid()),
        "(N,H,W,C) bytes": (integers((2, 3, 5, 2), 2).byte(), logits((2, 3, 5, 2)).sigmoid()),
        "(N,H,W) beside (N,H,W,1)": (integers((2, 3, 5), 2), logits((2, 3, 5, 1)).sigmoid()),
        "soft labels": (logits((6, 1)).sigmoid().flip(0), logits((6, 1)).sigmoid()),
        "probabilities 0 and 1": (labels, extremes),
        "all zeros": (torch.zeros(4, 1), torch.zeros(4, 1)),
        "one sample": (torch.ones(1, 1), torch.full((1, 1), 0.25)),
    }


def one_hot() -> dict[str, Batch]:
    hot = torch.nn.functional.one_hot
    extremes = torch.tensor([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1e-7, 1.0]])
    return {
        "(N,C)": (hot(integers((6,), 5), 5).float(), logits((6, 5)).softmax(-1)),
        "(N,C) integers": (hot(integers((6,), 5), 5), logits((6, 5)).softmax(-1)),
        "(N,C) not normalised": (hot(integers((6,), 5), 5).bool(), logits((6, 5)).sigmoid()),
        "(N,H,W,C)": (hot(integers((2, 3, 4), 3), 3), logits((2, 3, 4, 3)).softmax(-1)),
        "soft labels": (logits((6, 5)).flip(0).softmax(-1), logits((6, 5)).softmax(-1)),
        "probabilities 0 and 1": (torch.eye(3), extremes),
        "labels all zeros": (torch.zeros(4, 3), logits((4, 3)).softmax(-1)),
        "one class": (torch.ones(4, 1), logits((4, 1)).sigmoid()),
        "one sample": (torch.eye(3)[:1], logits((1, 3)).softmax(-1)),
    }


def whole() -> dict[str, Batch]:
    extremes = torch.tensor([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1e-7, 1.0]])
    return {
        "(N,)": (integers((6,), 5), logits((6, 5)).softmax(-1)),
        "(N,1)": (integers((6, 1), 5), logits((6, 5)).softmax(-1)),
        "(N,) floats": (integers((6,), 5).float(), logits((6, 5)).softmax(-1)),
        "(N,) bytes, not normalised": (integers((6,), 5).byte(), logits((6, 5)).sigmoid()),
        "(N,H,W) beside (N,H,W,C)": (integers((2, 3, 4), 3), logits((2, 3, 4, 3)).softmax(-1)),
        "(N,H,W,1) beside (N,H,W,C)": (integers((2, 3, 4, 1), 3), logits((2, 3, 4, 3)).softmax(-1)),
        "probabilities 0 and 1": (torch.tensor([1, 2, 1]), extremes),
        "all zeros": (torch.zeros(4, dtype=torch.int64), logits((4, 3)).softmax(-1)),
        "one class": (torch.zeros(4, dtype=torch.int64), logits((4, 1)).sigmoid()),
        "one sample": (torch.tensor([2]), logits((1, 3)).softmax(-1)),
    }


def numbers() -> dict[str, Batch]:
    return {
        "(N,)": (logits((6,)).flip(0), logits((6,))),
        "(N,) beside (N,1)": (logits((6,)).flip(0), logits((6, 1))),
        "(N,1) beside (N,)": (logits((6, 1)).flip(0), logits((6,))),
        "(N,L) integers": (integers((6, 4), 9), logits((6, 4))),
        "(N,L) booleans": (integers((6, 4), 2).bool(), logits((6, 4))),
        "(N,H,W,C)": (logits((2, 3, 4, 2)).flip(0), logits((2, 3, 4, 2))),
        "(N,H,W) beside (N,H,W,1)": (logits((2, 3, 5)).flip(0), logits((2, 3, 5, 1))),
        "all zeros": (torch.zeros(4, 2), torch.zeros(4, 2)),
    }


def signs() -> dict[str, Batch]:
    """Labels -1 and 1, or 0 and 1, and scores with margins of exactly 1 among them."""
    either = integers((6,), 2).float() * 2 - 1
    return {
        "(N,)": (either, logits((6,))),
        "(N,1)": (either[:, None], logits((6, 1))),
        "(N,) beside (N,1)": (either, logits((6, 1))),
        "(N,1) beside (N,)": (either[:, None], logits((6,))),
        "(N,L) booleans": (integers((6, 4), 2).bool(), logits((6, 4))),
        "(N,H,W,C) bytes": (integers((2, 3, 5, 2), 2).byte(), logits((2, 3, 5, 2))),
        "margins of 1": (torch.tensor([[1.0], [-1.0], [1.0], [-1.0]]), torch.tensor([[1.0], [-1.0], [-1.0], [0.0]])),
        "all zeros": (torch.zeros(4, 2), torch.zeros(4, 2)),
        "only -1": (-torch.ones(4, 2), logits((4, 2))),
        "one sample": (torch.ones(1, 1), torch.full((1, 1), 0.25)),
    }


def counts() -> dict[str, Batch]:
    """Counts and rates."""
    return {
        "(N,)": (integers((6,), 5), logits((6,)).exp()),
        "(N,1)": (integers((6, 1), 5).float(), logits((6, 1)).exp()),
        "(N,) beside (N,1)": (integers((6,), 5), logits((6, 1)).exp()),
        "(N,L)": (integers((6, 4), 5), logits((6, 4)).exp()),
        "(N,H,W,C)": (integers((2, 3, 4, 2), 5), logits((2, 3, 4, 2)).exp()),
        "all zeros": (torch.zeros(4, 2), torch.zeros(4, 2)),
        "one sample": (torch.ones(1, 1), torch.full((1, 1), 0.25)),
    }


@dataclass
class Row:
    """A loss, the batches it is tried on and the options it has."""

    name: str
    batches: Callable[[], dict[str, Batch]]
    options: list[dict[str, Any]] = field(default_factory=lambda: [{}])
    without: tuple[str, ...] = ()  # batches that Keras refuses, or gets wrong by broadcasting


CROSSENTROPY: list[dict[str, Any]] = [
    {},
    {"from_logits": True},
    {"label_smoothing": 0.1},
    {"from_logits": True, "label_smoothing": 0.5},
    {"label_smoothing": 1.0},
]
FOCAL: list[dict[str, Any]] = [{"gamma": 0.0}, {"alpha": 0.75, "gamma": 1.5}]
TABLE = [
    Row("BinaryCrossentropy", binary, CROSSENTROPY),
    Row("CategoricalCrossentropy", one_hot, CROSSENTROPY),
    Row(
        "SparseCategoricalCrossentropy",
        whole,
        [{}, {"from_logits": True}, {"ignore_class": 1}, {"ignore_class": 0, "from_logits": True}],
    ),
    Row(
        "BinaryFocalCrossentropy",
        binary,
        [*CROSSENTROPY, *FOCAL, {"apply_class_balancing": True}, {"apply_class_balancing": True, "alpha": 0.75}],
    ),
    Row("CategoricalFocalCrossentropy", one_hot, [*CROSSENTROPY, *FOCAL]),
    Row(
        "CategoricalGeneralizedCrossEntropy",
        whole,
        [{"q": 0.5}, {"q": 0.125}, {"q": 0.875}],
        # Keras broadcasts (N, 1) labels, and makes NaN of the other gradients where the probability is 0.
        ("(N,1)", "one class", "(N,H,W,1) beside (N,H,W,C)", "probabilities 0 and 1"),
    ),
    Row("KLDivergence", one_hot),
    Row("Poisson", counts),
    Row("MeanSquaredError", numbers),
    Row("MeanAbsoluteError", numbers),
    Row("MeanAbsolutePercentageError", numbers),
    Row("MeanSquaredLogarithmicError", numbers),
    Row("Huber", numbers, [{}, {"delta": 0.25}, {"delta": 2.0}]),
    Row("LogCosh", numbers),
    Row("CosineSimilarity", numbers, without=("all zeros",)),  # Keras's gradient is NaN there
    Row("Hinge", signs),
    Row("SquaredHinge", signs),
    Row("CategoricalHinge", one_hot),
    Row("Dice", binary, [{}, {"axis": -1}, {"axis": 0}]),
    Row("Tversky", binary, [{}, {"alpha": 0.25, "beta": 0.75}, {"axis": -1}, {"axis": 0, "alpha": 0.0}]),
]
