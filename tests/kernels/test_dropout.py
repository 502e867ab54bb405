"""Dropout is its definition, number by number, and its numbers are random."""

import pytest
import torch
from kernel_check import ENGINES, LAYOUTS, check, running, watched, whole

from striate.kernels import reference
from striate.kernels.dropout import _Dropout, can_dropout, dropout

SEEDS = [0, 1, 2**31, 2**62 + 12345]


def check_dropout(x, seed=5, share=0.3, **options):
    values = (x, round(share * 2**31), 2.0, seed)
    check(_Dropout.apply, values, functions=["dropout"], definition=reference.dropout, **options)


@pytest.mark.parametrize("size", [1, 3, 4, 5, 15, 16, 17, 1000, (1 << 14) + 37, (2, 3, 5, 7)])
@pytest.mark.parametrize("seed", SEEDS)
def test_the_same_cells_go_with_every_unit(size, seed):
    check_dropout(whole(*([size] if isinstance(size, int) else size)), seed)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("second", [False, True])
def test_memory_of_any_layout(layout, second):
    check_dropout(whole(3, 5, 7), layout=layout, second=second)


def test_dropped_infinities_and_nan_are_zeros():
    check_dropout(torch.tensor([float("inf"), float("-inf"), float("nan"), -0.0] * 50))


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.5, 0.999])
@pytest.mark.parametrize(("unit", "threads"), ENGINES)
def test_the_share_and_the_scale(rate, unit, threads):
    x = torch.ones(400, 250)
    with running(unit, threads), watched() as names:
        torch.manual_seed(3)
        y = dropout(x, rate)
    assert names == ["dropout"]
    kept = y != 0
    deviation = (rate * (1 - rate) / x.numel()) ** 0.5
    assert abs(1 - kept.float().mean().item() - rate) <= 5 * deviation
    assert torch.equal(y[kept], torch.full_like(y[kept], 1 / (1 - rate)))
    for axis in (0, 1):  # rows and columns have their share, too
        part = 1 - kept.float().mean(axis)
        assert (part - rate).abs().max() <= 6 * (rate * (1 - rate) / x.shape[axis]) ** 0.5 + 3 / x.shape[axis]


def test_neighbours_and_seeds_are_independent():
    torch.manual_seed(4)
    one, two = ((dropout(torch.ones(100_000), 0.5) != 0).float() - 0.5 for _ in range(2))
    pairs = [(one, two), (one[1:], one[:-1]), (one[4:], one[:-4]), (one[16:], one[:-16]), (one[256:], one[:-256])]
    for left, right in pairs:
        assert abs((left * right).mean().item() * 4) < 5 / len(left) ** 0.5


def test_torchs_seed_fixes_what_is_kept():
    x = torch.ones(1000, requires_grad=True)
    torch.manual_seed(1)
    one, two = dropout(x, 0.5), dropout(x, 0.5)
    torch.manual_seed(1)
    assert torch.equal(dropout(x, 0.5), one)
    assert not torch.equal(one, two)
    (gradient,) = torch.autograd.grad(one.sum(), x)
    assert torch.equal(gradient, one.detach())


def test_halves_are_dropped_out_as_float32_is():
    x = torch.randn(50, 7).to(torch.bfloat16).requires_grad_()
    torch.manual_seed(1)
    y = dropout(x, 0.4)
    torch.manual_seed(1)
    assert torch.equal(y, dropout(x.float(), 0.4).to(torch.bfloat16))
    assert y.dtype == torch.bfloat16
    (gradient,) = torch.autograd.grad(y.sum(), x)
    assert torch.equal(gradient, (y != 0) * torch.tensor(1 / 0.6).to(torch.bfloat16))


@pytest.mark.parametrize("x", [torch.ones(0, 3), torch.ones(3).double(), torch.eye(3).to_sparse()])
def test_what_it_leaves_to_torch(x):
    assert not can_dropout(x)
