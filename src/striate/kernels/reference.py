"""What each fused operation means, in plain torch. Arrays are channels last, (N, H, W, C)."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F


class Pool(NamedTuple):
    """A window of one to three axes: its size, by how much it moves, and the cells outside before and after each."""

    size: tuple[int, ...]
    strides: tuple[int, ...]
    before: tuple[int, ...] = (0, 0)
    after: tuple[int, ...] = (0, 0)

    def output_size(self, *cells: int) -> tuple[int, ...]:
        """How many cells of each axis come out for so many that go in.

        Example:
            >>> Pool((2, 2), (2, 2)).output_size(7, 8)
            (3, 4)
        """
        parts = zip(cells, *self, strict=True)
        return tuple((n + before + after - k) // step + 1 for n, k, step, before, after in parts)


def max_pool(x: torch.Tensor, pool: Pool, relu: bool = False) -> torch.Tensor:
    """The greatest of every window, after ReLU if asked; cells outside never win."""
    x = F.relu(x) if relu else x
    sides = [cells for side in reversed(list(zip(pool.before, pool.after, strict=True))) for cells in side]
    x = F.pad(x.movedim(-1, 1), sides, value=float("-inf")) if any(sides) else x.movedim(-1, 1)
    torchs = (F.max_pool1d, F.max_pool2d, F.max_pool3d)[len(pool.size) - 1]
    return torchs(x, pool.size, pool.strides).movedim(1, -1)


def max_pool_gradient(
    shape: Sequence[int], pool: Pool, winner: torch.Tensor, y: torch.Tensor | None, dy: torch.Tensor
) -> torch.Tensor:
    """The gradient of the input, (N, ..., C), of `max_pool`.

    Args:
        shape: The input's.
        winner: For each cell of the output which cell of its window won, counted along its rows.
        y: The output, where ReLU came before.
        dy: The output's gradient.
    """
    if y is not None:
        dy = torch.where(y <= 0, 0.0, dy)
    n, *cells, c = shape
    won, index, size = winner.long(), torch.zeros(()), 1
    for axis in reversed(range(len(cells))):
        which = won % pool.size[axis]
        won = won // pool.size[axis]
        place = torch.arange(winner.shape[axis + 1]).view(-1, *[1] * (len(cells) - axis))
        index = index + (place * pool.strides[axis] - pool.before[axis] + which) * size
        size *= cells[axis]
    index = (index.long() * c + torch.arange(c)).flatten(1)
    return dy.new_zeros(n, size * c).scatter_add(1, index, dy.flatten(1)).view(n, *cells, c)


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


def conv_lines(
    x: torch.Tensor,
    kernel: torch.Tensor,
    bias: torch.Tensor | None,
    sides: Sequence[tuple[int, int]],
    relu: bool = False,
) -> torch.Tensor:
    """A convolution of (N, ..., C) with zeros around, and ReLU if asked; the kernel is (window, C, filters)."""
    padded = F.pad(x, (0, 0, *(cells for side in reversed(sides) for cells in side))).movedim(-1, 1)
    convolve = (F.conv1d, F.conv2d, F.conv3d)[len(sides) - 1]
    weights = kernel.movedim((-1, -2), (0, 1)).contiguous()  # torch's slowest way refuses others in the gradient
    y = convolve(padded, weights, bias).movedim(1, -1)
    return F.relu(y) if relu else y


def pointwise(x: torch.Tensor, kernel: torch.Tensor, bias: torch.Tensor | None, relu: bool = False) -> torch.Tensor:
    """A convolution of (N, H, W, C) by windows of one cell, and ReLU if asked; the kernel is (1, 1, C, filters)."""
    y = F.linear(x, kernel[0, 0].t(), bias)
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


class Slide(NamedTuple):
    """How a window slides over two axes: by how much, how far apart its cells are, and the zeros at each side."""

    strides: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    rows: tuple[int, int] = (0, 0)
    columns: tuple[int, int] = (0, 0)

    def output_size(self, cells: Sequence[int], kernel: Sequence[int]) -> tuple[int, int]:
        """Rows and columns that come out.

        Example:
            >>> Slide((2, 2), rows=(0, 1)).output_size((8, 8), (3, 3))
            (4, 3)
        """
        spans = [apart * (size - 1) + 1 for apart, size in zip(self.dilation, kernel, strict=True)]
        rows, columns = (
            (size + sum(sides) - span) // step + 1
            for size, sides, span, step in zip(cells, (self.rows, self.columns), spans, self.strides, strict=True)
        )
        return rows, columns


def depthwise(
    x: torch.Tensor,
    kernel: torch.Tensor,
    bias: torch.Tensor | None,
    slide: Slide,
    rectifier: Rectifier | None = None,
) -> torch.Tensor:
    """A convolution of each channel of (N, H, W, C) by itself; the kernel is (rows, columns, C, 1)."""
    padded = F.pad(x, (0, 0, *slide.columns, *slide.rows)).movedim(-1, 1)
    weights = kernel.movedim((-2, -1), (0, 1))
    y = F.conv2d(padded, weights, bias, slide.strides, 0, slide.dilation, len(weights)).movedim(1, -1)
    return y if rectifier is None else rectifier(y)


class Moving(NamedTuple):
    """Statistics (C,) that follow those of the batches, and the share of themselves that they keep each time."""

    mean: torch.Tensor
    variance: torch.Tensor
    momentum: float


def batch_norm(
    x: torch.Tensor,
    gamma: torch.Tensor | None,
    beta: torch.Tensor | None,
    epsilon: float,
    rectifier: Rectifier | None = None,
    moving: Moving | None = None,
    added: torch.Tensor | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """(N, ..., C) with mean 0 and variance 1 by channel, times gamma, plus beta; mean and variance before, (2, C)."""
    variance, mean = torch.var_mean(x, tuple(range(x.ndim - 1)), correction=0)
    factor = torch.rsqrt(variance + epsilon)
    y = (x - mean) * (factor if gamma is None else factor * gamma)
    y = y if beta is None else y + beta
    y = y if added is None else y + added
    moments = torch.stack([mean, variance]).detach()
    if moving is not None:
        moving.mean.lerp_(moments[0], 1 - moving.momentum)
        moving.variance.lerp_(moments[1], 1 - moving.momentum)
    return (y if rectifier is None else rectifier(y)), moments


def fold_norm(
    mean: torch.Tensor, variance: torch.Tensor, gamma: torch.Tensor | None, beta: torch.Tensor | None, epsilon: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """What channels with these statistics are multiplied by, and what is added then, (C,) each."""
    scale = torch.rsqrt(variance + epsilon)
    scale = scale if gamma is None else scale * gamma
    offset = -mean * scale
    return scale, offset if beta is None else offset + beta


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
