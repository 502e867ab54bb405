import numpy as np
import pytest
import torch

from striate.foundation.checks import UserError
from striate.training import losses
from striate.training.reduction import align_weight, reduce_values

VALUES = torch.arange(6.0).reshape(2, 3)
FIRST = torch.tensor([True, False, False]).expand(2, 3)


@pytest.mark.parametrize(
    ("weight", "mask", "reduction", "expected"),
    [
        (None, None, "sum_over_batch_size", 2.5),
        (None, None, "mean", 2.5),
        (None, None, "sum", 15.0),
        ([1.0, 0.0], None, "sum", 3.0),
        ([1.0, 0.0], None, "mean", 0.5),
        ([1.0, 0.0], None, "mean_with_sample_weight", 3.0),
        ([0.0, 0.0], None, "mean_with_sample_weight", 0.0),
        (None, FIRST, "mean", 1.5),
        (None, FIRST, "sum", 3.0),
        (None, FIRST, "mean_with_sample_weight", 1.5),
        (None, torch.zeros(2, 3, dtype=torch.bool), "mean", 0.0),
        ([0.0, 2.0], FIRST, "mean", 3.0),
        ([0.0, 2.0], FIRST, "mean_with_sample_weight", 3.0),
    ],
)
def test_reductions(weight, mask, reduction, expected):
    assert reduce_values("Loss", VALUES, weight, [] if mask is None else [mask], reduction).item() == pytest.approx(
        expected
    )


@pytest.mark.parametrize("reduction", [None, "none"])
def test_no_reduction(reduction):
    weighted = reduce_values("Loss", VALUES, [2.0, 1.0], [], reduction)
    assert torch.equal(weighted, VALUES * torch.tensor([[2.0], [1.0]]))


@pytest.mark.parametrize("shape", [(2,), (2, 1), (2, 3), (1, 3), (2, 3, 1), ()])
def test_weights_that_fit(shape):
    assert (VALUES * align_weight("Loss", torch.ones(shape), VALUES)).shape == VALUES.shape


def test_one_weight_per_sample_of_square_maps():
    """Where N = W plain broadcasting would weigh columns, not samples."""
    y_pred = torch.ones(2, 4, 2, 1)
    y_pred[0] = 3.0
    loss = losses.MeanSquaredError()(torch.zeros(2, 4, 2, 1), y_pred, sample_weight=torch.tensor([1.0, 0.0]))
    assert loss.item() == 4.5


@pytest.mark.parametrize("shape", [(3,), (2, 2), (2, 3, 4), (2, 3, 1, 1)])
def test_weights_that_do_not_fit(shape):
    with pytest.raises(UserError, match=r"Loss 'mse' got sample_weight of shape .* for values of shape \(2, 3\); it "
                       r"needs weights of the values' shape, or of their first axes. Pass one weight per sample, shape "
                       r"\(2,\)\."):  # fmt: skip
        align_weight("Loss 'mse'", torch.ones(shape), VALUES)


def test_weights_for_a_single_value():
    fix = r"Give predictions a last axis, \(N, 1\); a function must return one value per sample, reduction=None."
    with pytest.raises(UserError, match=fix):
        losses.MeanSquaredError()(torch.zeros(3), torch.zeros(3), sample_weight=torch.ones(3))
    with pytest.raises(UserError, match=fix):
        losses.get(lambda y_true, y_pred: y_pred.mean())(torch.zeros(3, 1), torch.zeros(3, 1), torch.ones(3))


def test_an_empty_batch_costs_nothing():
    y_pred = torch.zeros(0, 1, requires_grad=True)
    loss = losses.MeanSquaredError()(torch.zeros(0, 1), y_pred)
    loss.backward()
    assert loss.item() == 0.0


@pytest.mark.parametrize(
    ("result", "kind"), [(0.5, "float"), (np.float32(0.5), "float32"), (np.zeros(3), "ndarray"), (None, "NoneType")]
)
@pytest.mark.parametrize("weight", [None, torch.ones(3)])
def test_losses_of_the_users_that_return_no_tensor(result, kind, weight):
    def mine(y_true, y_pred):
        return result

    text = rf"got a {kind} from the loss function; it needs a torch tensor computed from y_pred\. .* no float\(\)"
    with pytest.raises(UserError, match=text):
        losses.get(mine)(torch.zeros(3, 1), torch.zeros(3, 1), weight)
