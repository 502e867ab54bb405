"""Operations of linear algebra."""

from typing import Any

import torch

from striate.ops.table import as_floats, op


def _together(*arrays: torch.Tensor) -> list[torch.Tensor]:
    """The arrays in the dtype that can hold them all: torch multiplies no mixture."""
    dtype = arrays[0].dtype
    for array in arrays[1:]:
        dtype = torch.promote_types(dtype, array.dtype)
    return [array.to(dtype) for array in arrays]


@op()
def matmul(x1: torch.Tensor, x2: torch.Tensor) -> torch.Tensor:
    """The matrix product along the last two axes, for all the others.

    Example:
        >>> matmul([[1.0, 2.0]], [[3.0], [4.0]])
        tensor([[11.]])
    """
    return torch.matmul(*_together(x1, x2))


@op()
def dot(x1: torch.Tensor, x2: torch.Tensor) -> torch.Tensor:
    """The sums of products along the last axis of x1 and the last but one (of a vector, the only one) of x2."""
    x1, x2 = _together(x1, x2)
    if not x1.ndim or not x2.ndim:
        return x1 * x2
    return torch.tensordot(x1, x2, dims=([-1], [max(x2.ndim - 2, 0)]))


@op()
def einsum(subscripts: str, *operands: torch.Tensor) -> torch.Tensor:
    """Sums of products, by Einstein's convention.

    Example:
        >>> einsum("ij,j->i", [[1.0, 2.0]], [3.0, 4.0])
        tensor([11.])
    """
    return torch.einsum(subscripts, *_together(*operands))


@op()
def tensordot(x1: torch.Tensor, x2: torch.Tensor, axes: Any = 2) -> torch.Tensor:
    """The sums of products along pairs of axes.

    Args:
        axes: How many, the last of x1 with the first of x2; or a pair of axes, or of lists of them.
    """
    if not isinstance(axes, int):
        axes = [[one] if isinstance(one, int) else list(one) for one in axes]
    x1, x2 = _together(x1, x2)
    return torch.tensordot(x1, x2, dims=axes)


@op()
def inner(x1: torch.Tensor, x2: torch.Tensor) -> torch.Tensor:
    """The sums of products along the last axes of both."""
    return torch.inner(*_together(x1, x2))


@op()
def outer(x1: torch.Tensor, x2: torch.Tensor) -> torch.Tensor:
    """The products of every number of x1 with every number of x2, both flattened."""
    return torch.outer(x1.flatten(), x2.flatten())


@op()
def vdot(x1: torch.Tensor, x2: torch.Tensor) -> torch.Tensor:
    """The sum of the products of two arrays, both flattened."""
    return torch.vdot(*_together(x1.flatten(), x2.flatten()))


@op()
def cross(
    x1: torch.Tensor, x2: torch.Tensor, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None
) -> torch.Tensor:
    """The cross products of vectors of three numbers, which stand along these axes."""
    axisa, axisb, axisc = (axisa, axisb, axisc) if axis is None else (axis, axis, axis)
    x1, x2 = _together(torch.moveaxis(x1, axisa, -1), torch.moveaxis(x2, axisb, -1))
    return torch.moveaxis(torch.cross(x1, x2, dim=-1), -1, axisc)


@op()
def kron(x1: torch.Tensor, x2: torch.Tensor) -> torch.Tensor:
    """Blocks of x2, each multiplied by a number of x1."""
    return torch.kron(x1, x2)


@op()
def trace(x: torch.Tensor, offset: int = 0, axis1: int = 0, axis2: int = 1) -> torch.Tensor:
    """The sums of the diagonals of the matrices along two axes."""
    total = torch.diagonal(x, offset, axis1, axis2).sum(-1)
    return total.int() if x.dtype in (torch.bool, torch.uint8, torch.int8, torch.int16) else total.to(x.dtype)


@op()
def norm(x: torch.Tensor, ord: Any = None, axis: Any = None, keepdims: bool = False) -> torch.Tensor:
    """The length of vectors, or the norm of matrices.

    Args:
        ord: Which norm, as NumPy's linalg.norm names them.
        axis: Of the vectors, or the two of the matrices; all numbers are one vector if left out.
    """
    return torch.linalg.norm(as_floats(x), ord, axis, keepdims)


@op()
def cholesky(x: torch.Tensor, upper: bool = False) -> torch.Tensor:
    """The triangular matrix whose product with its transpose is x."""
    return torch.linalg.cholesky(x, upper=upper)


@op()
def det(x: torch.Tensor) -> torch.Tensor:
    """The determinant of square matrices."""
    return torch.linalg.det(x)


@op()
def inv(x: torch.Tensor) -> torch.Tensor:
    """The inverse of square matrices."""
    return torch.linalg.inv(x)


@op()
def pinv(x: torch.Tensor, rcond: float | None = None) -> torch.Tensor:
    """The pseudo-inverse of matrices."""
    return torch.linalg.pinv(x) if rcond is None else torch.linalg.pinv(x, rtol=rcond)


@op()
def solve(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """The x for which matmul(a, x) is b."""
    return torch.linalg.solve(a, b)


@op()
def eigh(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Eigenvalues, from the smallest on, and eigenvectors of symmetric matrices."""
    values, vectors = torch.linalg.eigh(x)
    return values, vectors


@op()
def qr(x: torch.Tensor, mode: str = "reduced") -> tuple[torch.Tensor, torch.Tensor]:
    """An orthonormal and an upper triangular matrix whose product is x."""
    orthonormal, triangular = torch.linalg.qr(x, mode)
    return orthonormal, triangular


@op()
def svd(x: torch.Tensor, full_matrices: bool = True, compute_uv: bool = True) -> Any:
    """The singular values, from the largest on, between the matrices of vectors that belong to them."""
    if not compute_uv:
        return torch.linalg.svdvals(x)
    return tuple(torch.linalg.svd(x, full_matrices))
