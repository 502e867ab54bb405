"""What cross-entropies are made of: probabilities that have a logarithm, labels that are not quite sure."""

import torch

from striate.training.reduction import EPSILON


def clip(probability: torch.Tensor) -> torch.Tensor:
    """Probabilities so far from 0 and 1 that their logarithms are finite."""
    return probability.clamp(EPSILON, 1.0 - EPSILON)


def smooth(y_true: torch.Tensor, share: float, axis: int) -> torch.Tensor:
    """One-hot labels of which a share is spread evenly over the classes."""
    return y_true * (1.0 - share) + share / y_true.shape[axis] if share else y_true


def smooth_binary(y_true: torch.Tensor, share: float) -> torch.Tensor:
    """Labels from 0 to 1, pulled towards 0.5."""
    return y_true * (1.0 - share) + 0.5 * share if share else y_true


def surprise(y_true: torch.Tensor, y_pred: torch.Tensor) -> torch.Tensor:
    """Cross-entropy of each label with the probability of 1."""
    # torch's binary_cross_entropy stops the process on a GPU when a prediction is NaN; this hands the NaN on.
    y_pred = clip(y_pred)
    return -torch.lerp(torch.log1p(-y_pred), torch.log(y_pred), y_true)
