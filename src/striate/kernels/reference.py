"""What each fused operation means, in plain torch. Arrays are channels last, (N, H, W, C)."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F


class Pool(NamedTuple):
    """A window of two axes: its size, by how much it moves, and the cells outside before and after each axis."""

    size: tuple[int, int]
    strides: tuple[int, int]
    before: tuple[int, int] = (0, 0)
    after: tuple[int, int] = (0, 0)

    def output_size(self, height: int, width: int) -> tuple[int, int]:
        """Rows and columns that come out.

        Example:
            >>> Pool((2, 2), (2, 2)).output_size(7, 8)
            (3, 4)
        """
        parts = zip((height, width), *self, strict=True)
        rows, columns = ((cells + before + after - k) // step + 1 for cells, k, step, before, after in parts)
        return rows, columns


def max_pool(x: torch.Tensor, pool: Pool, relu: bool = False) -> torch.Tensor:
    """The greatest of every window, after ReLU if asked; cells outside never win."""
    x = F.relu(x) if relu else x
    sides = [pool.before[1], pool.after[1], pool.before[0], pool.after[0]]
    x = F.pad(x.movedim(-1, 1), sides, value=float("-inf")) if any(sides) else x.movedim(-1, 1)
    return F.max_pool2d(x, pool.size, pool.strides).movedim(1, -1)


def max_pool_gradient(
    shape: Sequence[int], pool: Pool, winner: torch.Tensor, y: torch.Tensor | None, dy: torch.Tensor
) -> torch.Tensor:
    """The gradient of the input, (N, H, W, C), of `max_pool`.

    Args:
        shape: The input's.
        winner: For each cell of the output which cell of its window won, counted along its rows.
        y: The output, where ReLU came before.
        dy: The output's gradient.
    """
    if y is not None:
        dy = torch.where(y <= 0, 0.0, dy)
    n, h, w, c = shape
    i, j = torch.arange(winner.shape[1]).view(-1, 1, 1), torch.arange(winner.shape[2]).view(-1, 1)
    row = i * pool.strides[0] - pool.before[0] + winner.long() // pool.size[1]
    column = j * pool.strides[1] - pool.before[1] + winner.long() % pool.size[1]
    index = ((row * w + column) * c + torch.arange(c)).flatten(1)
    return dy.new_zeros(n, h * w * c).scatter_add(1, index, dy.flatten(1)).view(n, h, w, c)


def conv_pool(x: torch.Tensor, kernel: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    """Max-pooling of 2 x 2 of ReLU of a convolution without padding; the kernel is (H, W, C, filters)."""
    y = F.conv2d(x.movedim(-1, 1), kernel.movedim((-1, -2), (0, 1)), bias)
    return F.max_pool2d(F.relu(y), 2).movedim(1, -1)


def conv3x3(
    x: torch.Tensor,
    kernel: torch.Tensor,
    bias: torch.Tensor | None,
    sides: Sequence[tuple[int, int]],
    relu: bool = False,
) -> torch.Tensor:
    """A convolution of (N, H, W, C) with zeros around, and ReLU if asked; the kernel is (3, 3, C, filters)."""
    padded = F.pad(x, (0, 0, *sides[1], *sides[0])).movedim(-1, 1)
    y = F.conv2d(padded, kernel.movedim((-1, -2), (0, 1)), bias).movedim(1, -1)
    return F.relu(y) if relu else y


def conv_global_max(x: torch.Tensor, kernel: torch.Tensor, bias: torch.Tensor | None, relu: bool) -> torch.Tensor:
    """The greatest value of every filter of a convolution of (N, L, C), after ReLU if asked; the kernel: (k, C, F)."""
    y = F.conv1d(x.movedim(-1, 1), kernel.movedim((-1, -2), (0, 1)), bias).amax(-1)
    return F.relu(y) if relu else y


def dense(x: torch.Tensor, kernel: torch.Tensor, bias: torch.Tensor | None, relu: bool = False) -> torch.Tensor:
    """X @ kernel + bias, and ReLU of it if asked; x is (N, C), the kernel (C, units)."""
    y = F.linear(x, kernel.t(), bias)
    return F.relu(y) if relu else y


class Rectifier(NamedTuple):
    """ReLU, up to a cap where there is one."""

    cap: float = float("nan")

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        return F.relu(x) if self.cap != self.cap else F.hardtanh(x, 0.0, self.cap)


def batch_norm(
    x: torch.Tensor,
    gamma: torch.Tensor | None,
    beta: torch.Tensor | None,
    epsilon: float,
    rectifier: Rectifier | None = None,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """(N, ..., C) with a mean of 0 and a variance of 1 by channel, times gamma, plus beta; mean and variance before."""
    axes = tuple(range(x.ndim - 1))
    variance, mean = torch.var_mean(x, axes, correction=0)
    factor = torch.rsqrt(variance + epsilon)
    y = (x - mean) * (factor if gamma is None else factor * gamma)
    y = y if beta is None else y + beta
    return (y if rectifier is None else rectifier(y)), mean.detach(), variance.detach()


def scale_channels(
    x: torch.Tensor, scale: torch.Tensor, offset: torch.Tensor, rectifier: Rectifier | None = None
) -> torch.Tensor:
    """X * scale + offset by channel, (N, ..., C)."""
    y = x * scale + offset
    return y if rectifier is None else rectifier(y)


def dropout(x: torch.Tensor, least_kept: int, factor: float, seed: int) -> torch.Tensor:
    """X * factor where the number drawn for the place, of 31 bits, is at least `least_kept`, else 0."""
    place = torch.arange(x.numel())
    bits = _mixed(_mixed(place & _WORD, seed & _WORD), ((seed >> 32) + (place >> 32)) & _WORD)
    return torch.where((bits >> 1).view(x.shape) >= least_kept, x * factor, 0.0)


_WORD = 0xFFFFFFFF


def _mixed(bits: torch.Tensor, key: torch.Tensor | int) -> torch.Tensor:
    bits = bits ^ key
    bits = (bits ^ (bits >> 16)) * 0x21F0AAAD & _WORD
    bits = (bits ^ (bits >> 15)) * 0x735A2D97 & _WORD
    return bits ^ (bits >> 15)
