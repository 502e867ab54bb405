"""Where Keras keeps the classes of the operations that it records, and which arguments it calls them with.

Its files say {"module": "keras.src.ops.numpy", "class_name": "Mean", "config": {"axis": 1, ...}} for `ops.mean`: what
is no array is in the config, what may be one is among the arguments of the call.
"""

import functools
import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

import torch

from striate.foundation.names import snake_case
from striate.layers import activation
from striate.ops.table import TABLE

_CLASSES = {
    "ops.numpy": """
        Absolute Add All AllClose Amax Amin Any Append Arccos Arccosh Arcsin Arcsinh Arctan Arctan2 Arctanh Argmax
        Argmin Argsort ArraySplit Average Bincount BitwiseAnd BitwiseOr BitwiseXor BroadcastTo Ceil Clip Concatenate
        Copy Cos Cosh CountNonzero Cross Cumprod Cumsum Deg2rad Diag Diagonal Diff Digitize Divide DivideNoNan Dot
        Dstack Einsum EmptyLike Equal Exp Exp2 ExpandDims Expm1 Flip Fliplr Flipud Floor FloorDivide Fmax Fmin Full
        FullLike GetItem Greater GreaterEqual Hstack Hypot Inner IsIn Isclose Isfinite Isinf Isnan Isneginf Isposinf
        Kron Less LessEqual Linspace Log Log10 Log1p Log2 Logaddexp LogicalAnd LogicalNot LogicalOr LogicalXor Logspace
        Matmul Max Maximum Mean Median Meshgrid Min Minimum Mod Moveaxis Multiply NanToNum Negative Nonzero NotEqual
        OnesLike Outer Pad Percentile Power Prod Ptp Quantile Rad2deg Ravel Reciprocal Repeat Reshape Roll Rot90 Round
        SearchSorted Sign Sin Sinc Sinh Size Sort Split Sqrt Square Squeeze Stack Std Subtract Sum Swapaxes Take
        TakeAlongAxis Tan Tanh Tensordot Tile Trace Transpose Tril Triu TrueDivide Trunc Unique Var Vdot Vstack Where
        ZerosLike""",
    "ops.nn": """
        AdaptiveAveragePool AdaptiveMaxPool AveragePool BatchNorm BinaryCrossentropy CategoricalCrossentropy Celu Conv
        ConvTranspose DepthToSpace DepthwiseConv DotProductAttention Elu Gelu Glu HardShrink HardSigmoid HardSilu
        HardTanh LayerNorm LeakyRelu LogSigmoid LogSoftmax MaxPool Moments MultiHot Normalize OneHot PSNR RMSNorm Relu
        Relu6 Selu SeparableConv Sigmoid Silu SoftShrink Softmax Softplus Softsign SpaceToDepth
        SparseCategoricalCrossentropy SparsePlus SparseSigmoid Sparsemax Squareplus TanhShrink Threshold""",
    "ops.core": "Cast SaturateCast Scatter ScatterUpdate Slice SliceUpdate StopGradient Unstack",
    "ops.math": "Erf Erfc Erfinv InTopK Logsumexp Rsqrt SegmentMax SegmentSum TopK",
    "ops.image": "AffineTransform CropImages ExtractPatches HSVToRGB PadImages RGBToGrayscale RGBToHSV Resize",
    "ops.linalg": "Cholesky Det Eigh Inv Norm Pinv Qr SVD Solve",
    "activations.activations": "Mish ReLU",
}
# Whose names do not follow from their classes'.
_NAMES = {
    "AllClose": "allclose",
    "BatchNorm": "batch_normalization",
    "IsIn": "isin",
    "LayerNorm": "layer_normalization",
    "RMSNorm": "rms_normalization",
    "ReLU": "activations.relu",
    "Mish": "activations.mish",
    "SearchSorted": "searchsorted",
}
# What Keras calls them with, where that is not what is annotated as an array.
_CALLED_WITH = {
    "bincount": ("x",),
    "clip": ("x",),
    "dot_product_attention": ("query", "key", "value", "bias", "mask", "scale"),
    "get_item": ("x", "key"),
    "isclose": ("x1", "x2", "rtol", "atol"),
    "pad": ("x", "constant_values"),
    "slice": ("inputs", "start_indices"),
    "slice_update": ("inputs", "start_indices", "updates"),
}
_ALIASES = {"abs": "absolute", "swish": "silu", "hard_swish": "hard_silu"}
_ARRAYS = (torch.Tensor, torch.Tensor | None, list[torch.Tensor])


class Record(NamedTuple):
    """How an operation is recorded.

    Args:
        name: Its name in `striate.ops`.
        module, class_name: Keras's.
        function: What computes it.
        called_with: The arguments of the call; the others are the config.
    """

    name: str
    module: str
    class_name: str
    function: Callable[..., Any]
    called_with: tuple[str, ...]

    def __reduce__(self) -> tuple[Any, ...]:  # copies are of the record, not of the function
        return _known, (self.module, self.class_name)

    @property
    def part(self) -> str:
        """The file of `ops` that has it: "reductions"."""
        return inspect.unwrap(self.function).__module__.rpartition(".")[2]

    @property
    def where(self) -> str:
        """How errors name it."""
        return self.name if self.name.startswith("activations.") else f"ops.{self.name}"

    def takes_array(self, argument: str) -> bool:
        """Whether an argument is one array, which may be given as lists of numbers."""
        return self.signature.parameters[argument].annotation in _ARRAYS[:2]

    @property
    def signature(self) -> inspect.Signature:
        """Of the function."""
        return inspect.signature(self.function)


def _record(module: str, class_name: str) -> Record:
    name = _NAMES.get(class_name, snake_case(class_name))
    name = f"image.{name}" if module == "ops.image" else name
    function = TABLE[name] if name in TABLE else getattr(activation, name.removeprefix("activations."))
    parameters = inspect.signature(function).parameters.values()
    arrays = tuple(parameter.name for parameter in parameters if parameter.annotation in _ARRAYS)
    return Record(name, f"keras.src.{module}", class_name, function, _CALLED_WITH.get(name, arrays))


@functools.cache
def by_class() -> dict[tuple[str, str], Record]:
    """Every record by Keras's module and class.

    Example:
        >>> by_class()["keras.src.ops.numpy", "Mean"].name
        'mean'
    """
    names = [(module, name) for module, text in _CLASSES.items() for name in text.split()]
    return {(f"keras.src.{module}", name): _record(module, name) for module, name in names}


@functools.cache
def by_name() -> dict[str, Record]:
    """Every record by the name of the operation, or by another name of it."""
    found = {record.name: record for record in by_class().values()}
    return found | {alias: found[name] for alias, name in _ALIASES.items()}


def _known(module: str, class_name: str) -> Record:
    return by_class()[module, class_name]
