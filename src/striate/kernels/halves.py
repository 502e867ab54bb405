"""How well the processor multiplies bfloat16: whether `torch.autocast` to it gains anything over float32."""

import functools
from enum import Enum

import torch

from striate.kernels.library import supports


class Products(Enum):
    """What the processor has for products of bfloat16."""

    NOTHING = "nothing"
    """Numbers are converted first, or the instruction is slow: oneDNN takes 2.5 times as long as in float32 with
    AVX-512, 12 times with AVX2, and twice as long with Intel's AVX512-BF16."""
    VECTORS = "vectors"
    """AMD's AVX512-BF16: twice as many products in an instruction as of float32."""
    TILES = "tiles"
    """AMX, or something unknown: many more."""


@functools.cache
def bfloat16_products() -> Products:
    """What this processor has.

    Example:
        >>> bfloat16_products() in Products
        True
    """
    cpu = torch.cpu
    if not (cpu._is_avx2_supported() or cpu._is_avx512_supported()) or cpu._is_amx_tile_supported():
        return Products.TILES
    gains = cpu._is_avx512_bf16_supported() and not supports("slow_bfloat16")
    return Products.VECTORS if gains else Products.NOTHING
