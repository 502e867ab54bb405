"""The cases of the layers along space: series, pictures and volumes, with channels last and first."""

from itertools import product
from typing import Any

from oracles.compare import Case
from striate.layers.activation import ALIASES, FUNCTIONS

EVEN, ODD, THIN = (2, 8, 8, 3), (1, 7, 9, 3), (3, 5, 6, 1)
# By the number of spatial axes: even and odd sizes, several items and one, several channels and one.
SHAPES = {
    1: ((2, 8, 3), (1, 9, 3), (3, 6, 1)),
    2: (EVEN, ODD, THIN),
    3: ((2, 4, 4, 6, 2), (1, 5, 4, 7, 2), (2, 3, 4, 5, 1)),
}
FIRST = "channels_first"


def first(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape with the channels moved to axis 1."""
    return (shape[0], shape[-1], *shape[1:-1])


def formats(shapes: Any) -> list[tuple[dict[str, str], tuple[int, ...]]]:
    """Each shape with the arguments that say where its channels are."""
    return [({}, shape) for shape in shapes] + [({"data_format": FIRST}, first(shape)) for shape in shapes]


def conv2d() -> list[Case]:
    """Windows, strides, padding, dilation, groups, channels, batches, bias, activations."""
    found = []

    def add(shape: tuple[int, ...], filters: int = 4, kernel_size: Any = 3, **more: Any) -> None:
        found.append(Case("Conv2D", {"filters": filters, "kernel_size": kernel_size, **more}, (shape,)))

    sizes = product((1, 2, 3, (2, 3), 5), (1, 2, (2, 1), 3), ("valid", "same"), (EVEN, ODD))
    for kernel, strides, padding, shape in sizes:
        add(shape, kernel_size=kernel, strides=strides, padding=padding)
    for kernel, dilation, padding, shape in product((2, 3, (2, 3)), (2, (1, 3)), ("valid", "same"), (EVEN, ODD)):
        add(shape, kernel_size=kernel, dilation_rate=dilation, padding=padding)
    for filters, groups, use_bias, padding in product((4, 8), (2, 4), (True, False), ("valid", "same")):
        add((2, 6, 5, 4), filters, 3, groups=groups, use_bias=use_bias, padding=padding)
    for padding, strides in product(("valid", "same"), (1, 2)):
        add(THIN, 1, padding=padding, strides=strides)
        add(THIN, 3, padding=padding, strides=strides, use_bias=False)
        add((1, 3, 3, 2), 2, padding=padding, strides=strides)  # one cell, or the whole input
    for name in [*FUNCTIONS, *ALIASES]:
        add((2, 5, 5, 2), 3, activation=name)
    return found


def conv1d_and_3d() -> list[Case]:
    """As `conv2d`, and causal padding."""
    found = []
    for axes in (1, 3):
        name, (even, odd, thin) = f"Conv{axes}D", SHAPES[axes]
        sizes = product((1, 2, 3), (1, 2, 3), ("valid", "same"), (even, odd))
        for kernel, strides, padding, shape in sizes:
            arguments = {"filters": 4, "kernel_size": kernel, "strides": strides, "padding": padding}
            found.append(Case(name, arguments, (shape,)))
        for kernel, padding, shape in product((2, 3), ("valid", "same"), (even, thin)):
            arguments = {
                "filters": 3,
                "kernel_size": kernel,
                "dilation_rate": {1: 2, 3: (1, 1, 2)}[axes],
                "padding": padding,
            }
            found.append(Case(name, arguments, (shape,)))
        wide = (*odd[:-1], 4)
        for groups, padding in product((2, 4), ("valid", "same")):
            arguments = {"filters": 4, "kernel_size": 2, "groups": groups, "use_bias": False, "padding": padding}
            found.append(Case(name, arguments, (wide,)))
        found.append(Case(name, {"filters": 2, "kernel_size": 2, "activation": "tanh"}, (thin,)))
    for kernel, strides, dilation in ((1, 1, 1), (2, 1, 1), (3, 2, 1), (4, 3, 1), (3, 1, 2), (2, 1, 5), (12, 1, 1)):
        arguments = {"filters": 2, "kernel_size": kernel, "strides": strides, "dilation_rate": dilation}
        for where, shape in formats(SHAPES[1]):
            found.append(Case("Conv1D", {**arguments, "padding": "causal", **where}, (shape,)))
    return found


def convolutions_channels_first() -> list[Case]:
    """Every convolution on (N, C, ...)."""
    found = []
    for axes in (1, 2, 3):
        shapes = [first(shape) for shape in SHAPES[axes][:2]]
        for kernel, strides, padding, shape in product((2, 3), (1, 2), ("valid", "same"), shapes):
            window = {"kernel_size": kernel, "strides": strides, "padding": padding, "data_format": FIRST}
            found.append(Case(f"Conv{axes}D", {"filters": 3, **window}, (shape,)))
            found.append(Case(f"Conv{axes}DTranspose", {"filters": 2, **window}, (shape,)))
            if axes < 3:
                found.append(Case(f"DepthwiseConv{axes}D", {"depth_multiplier": 2, **window}, (shape,)))
                found.append(Case(f"SeparableConv{axes}D", {"filters": 3, **window}, (shape,)))
        wide = (2, 4, *(5, 6, 4)[:axes])
        for use_bias, activation in ((True, "tanh"), (False, "softmax")):
            arguments = {"filters": 6, "kernel_size": 2, "groups": 2, "use_bias": use_bias, "activation": activation}
            found.append(Case(f"Conv{axes}D", {**arguments, "data_format": FIRST}, (wide,)))
    return found


def conv_transpose() -> list[Case]:
    """What is cut and added: windows smaller and larger than strides, both paddings, and output_padding."""
    found = []
    cuts = [
        (kernel, strides, padding, more)
        for kernel, strides, padding in product((1, 2, 3, 4, 5), (1, 2, 3), ("valid", "same"))
        for more in (None, 0, 1, 2)
        if more is None or more < strides
    ]
    for kernel, strides, padding, more in cuts:
        window = {"kernel_size": kernel, "strides": strides, "padding": padding, "output_padding": more}
        # Of one cell, output_padding=0 may leave nothing: that is refused.
        found.append(Case("Conv1DTranspose", {"filters": 3, **window}, ((2, 5, 2),)))
        if kernel in (2, 3):
            found.append(Case("Conv2DTranspose", {"filters": 2, **window}, ((1, 3, 4, 3),)))
    for kernel, strides, padding in product((1, 2, 3), (1, 2), ("valid", "same")):
        for more in (None, *range(strides)):
            window = {"kernel_size": kernel, "strides": strides, "padding": padding, "output_padding": more}
            found.append(Case("Conv3DTranspose", {"filters": 2, **window}, ((1, 2, 3, 4, 2),)))
    uneven = {"kernel_size": (2, 5), "strides": (3, 2)}
    for padding, more in product(("valid", "same"), (None, (2, 0), (0, 1))):
        arguments = {"filters": 2, **uneven, "padding": padding, "output_padding": more}
        found.append(Case("Conv2DTranspose", arguments, ((2, 4, 3, 2),)))
        # In float64 with one channel torch refuses the kernel that Keras hands it.
        found.append(Case("Conv2DTranspose", arguments, ((2, 4, 3, 1),), dtypes=("float32",)))
    for axes, kernel, dilation, padding in product((1, 2, 3), (2, 3), (2, 3), ("valid", "same")):
        arguments = {"filters": 2, "kernel_size": kernel, "dilation_rate": dilation, "padding": padding}
        for more in (None, 0):
            shape = (2, *(4, 5, 3)[:axes], 2)
            found.append(Case(f"Conv{axes}DTranspose", {**arguments, "output_padding": more}, (shape,)))
    for axes, use_bias in product((1, 2, 3), (True, False)):
        arguments = {"filters": 4, "kernel_size": 2, "strides": 4, "use_bias": use_bias, "activation": "softmax"}
        found.append(Case(f"Conv{axes}DTranspose", arguments, ((1, *(1,) * axes, 2),)))  # one cell
    return found


def by_channel() -> list[Case]:
    """Depthwise and separable convolutions: how many windows a channel has, and what they are mixed to."""
    found = []
    for axes in (1, 2):
        for kernel, strides, padding, shape in product((1, 2, 3), (1, 2), ("valid", "same"), SHAPES[axes]):
            window = {"kernel_size": kernel, "strides": strides, "padding": padding}
            found.append(Case(f"DepthwiseConv{axes}D", window, (shape,)))
            found.append(Case(f"SeparableConv{axes}D", {"filters": 4, **window}, (shape,)))
        for many, dilation, strides, padding in product((1, 2, 3), (1, 2), (1, 2), ("valid", "same")):
            window = {"kernel_size": 3, "dilation_rate": dilation, "strides": strides, "padding": padding}
            more = {"depth_multiplier": many, "use_bias": many != 2, "activation": "tanh"}
            found.append(Case(f"DepthwiseConv{axes}D", {**window, **more}, (SHAPES[axes][1],)))
            found.append(Case(f"SeparableConv{axes}D", {"filters": 2, **window, **more}, (SHAPES[axes][1],)))
    return found


def pooling() -> list[Case]:
    """Windows that overlap, leave gaps, or are as large as the input; ties."""
    found = []
    sizes = product((2, 3, (3, 2)), (None, 1, 2, (1, 3)), ("valid", "same"), (EVEN, ODD))
    for pool, strides, padding, shape in sizes:
        arguments = {"pool_size": pool, "strides": strides, "padding": padding}
        found.append(Case("MaxPooling2D", arguments, (shape,)))
        if padding == "valid":  # "same" has a table of its own: Keras's backends differ
            found.append(Case("AveragePooling2D", arguments, (shape,)))
    found.append(Case("MaxPooling2D", {}, (EVEN,)))
    for layer in ("MaxPooling2D", "AveragePooling2D"):
        found.append(Case(layer, {"pool_size": 2}, (EVEN,), "ties"))
        found.append(Case(layer, {"pool_size": 3, "strides": 2}, ((1, 7, 7, 1),), "ties"))
        found.append(Case(layer, {"pool_size": (5, 6)}, (THIN,)))
    found.append(Case("MaxPooling2D", {"pool_size": 3, "strides": 2, "padding": "same"}, ((1, 8, 8, 2),), "ties"))
    for axes in (1, 3):
        for pool, strides, padding, shape in product((2, 3), (None, 1, 2), ("valid", "same"), SHAPES[axes]):
            arguments = {"pool_size": pool, "strides": strides, "padding": padding}
            found.append(Case(f"MaxPooling{axes}D", arguments, (shape,), "ties" if strides == 1 else "normal"))
            if padding == "valid":
                found.append(Case(f"AveragePooling{axes}D", arguments, (shape,)))
        found.append(Case(f"MaxPooling{axes}D", {}, (SHAPES[axes][0],)))
    for axes, strides, padding in product((1, 2, 3), (None, 1), ("valid", "same")):
        arguments = {"pool_size": 3, "strides": strides, "padding": padding, "data_format": FIRST}
        found += [Case(f"MaxPooling{axes}D", arguments, (first(shape),)) for shape in SHAPES[axes]]
        if padding == "valid":
            found += [Case(f"AveragePooling{axes}D", arguments, (first(shape),)) for shape in SHAPES[axes]]
    return found


def global_pooling() -> list[Case]:
    """Kept and lost axes, one cell, ties."""
    found = []
    for kind, axes, keepdims in product(("Max", "Average"), (1, 2, 3), (False, True)):
        name = f"Global{kind}Pooling{axes}D"
        for where, shape in formats((*SHAPES[axes], (1, *(1,) * axes, 2))):
            found.append(Case(name, {"keepdims": keepdims, **where}, (shape,)))
    found += [Case(f"GlobalMaxPooling{axes}D", {}, (SHAPES[axes][0],), "ties") for axes in (1, 2, 3)]
    return found


def average_pooling_same() -> list[Case]:
    """padding="same" of the average pools, where Keras's torch backend differs from all its others."""
    sizes = product((2, 3, (3, 2), 4), (None, 1, 2, 3), (EVEN, ODD, THIN))
    found = [
        Case("AveragePooling2D", {"pool_size": pool, "strides": strides, "padding": "same"}, (shape,))
        for pool, strides, shape in sizes
    ]
    for axes, pool, strides in product((1, 3), (2, 3), (None, 1, 2)):
        arguments = {"pool_size": pool, "strides": strides, "padding": "same"}
        found += [Case(f"AveragePooling{axes}D", arguments, (shape,)) for shape in SHAPES[axes]]
    for axes, strides in product((1, 2, 3), (None, 1)):
        arguments = {"pool_size": 2, "strides": strides, "padding": "same", "data_format": FIRST}
        found += [Case(f"AveragePooling{axes}D", arguments, (first(shape),)) for shape in SHAPES[axes][:2]]
    for axes, cells, pool, strides in product((1, 2, 3), (1, 2, 3), (3, 5), (1, 2)):  # inputs smaller than the window
        arguments = {"pool_size": pool, "strides": strides, "padding": "same"}
        found.append(Case(f"AveragePooling{axes}D", arguments, ((2, *[cells] * axes, 3),)))
    return found


def sides() -> list[Case]:
    """Zeros around, and cells cut off: all sides alike, axes alike, all different, none; whole numbers."""
    many: dict[int, tuple[Any, ...]] = {
        1: (0, 1, (2, 1), (0, 2), (3, 0)),
        2: (0, 1, (2, 1), ((1, 0), (0, 3)), ((0, 0), (0, 0)), ((0, 2), (1, 0)), ((2, 1), 1)),
        3: (0, 1, (1, 0, 1), ((1, 0), (0, 2), (1, 1)), ((0, 1), (0, 0), (2, 0))),
    }
    found = []
    for axes, values in many.items():
        for where, shape in formats(SHAPES[axes][:2]):
            for cells in values:
                if not (axes == 2 and cells == ((2, 1), 1)):  # Keras takes one number for an axis, too: see below
                    found.append(Case(f"ZeroPadding{axes}D", {"padding": cells, **where}, (shape,)))
                    if not (axes == 1 and where):
                        found.append(Case(f"Cropping{axes}D", {"cropping": cells, **where}, (shape,)))
        found.append(Case(f"ZeroPadding{axes}D", {}, (SHAPES[axes][1],), "int32"))
        found.append(Case(f"Cropping{axes}D", {}, (SHAPES[axes][1],), "uint8"))
    for layer, argument in (("ZeroPadding2D", "padding"), ("Cropping2D", "cropping")):
        found.append(Case(layer, {argument: ((2, 1), 1)}, (ODD,)))
    return found


def upsampling() -> list[Case]:
    """Factors, axes with factors of their own, ways to mix neighbours; whole numbers."""
    found = [Case("UpSampling1D", {"size": size}, (shape,)) for size, shape in product((1, 2, 3), SHAPES[1])]
    for where, shape in formats(SHAPES[2]):
        for size, kind in product((1, 2, 3, (2, 3), (4, 1)), ("nearest", "bilinear", "bicubic")):
            found.append(Case("UpSampling2D", {"size": size, "interpolation": kind, **where}, (shape,)))
    for where, shape in formats(SHAPES[3]):
        found += [Case("UpSampling3D", {"size": size, **where}, (shape,)) for size in (1, 2, (1, 3, 2))]
    for kind, values in product(("nearest", "bilinear", "bicubic"), ("uint8", "int32")):
        found.append(Case("UpSampling2D", {"interpolation": kind, "size": 3}, (ODD,), values))
    found += [Case(f"UpSampling{axes}D", {}, (SHAPES[axes][1],), "int32") for axes in (1, 2, 3)]
    return found


SPATIAL = [
    *conv2d(),
    *conv1d_and_3d(),
    *convolutions_channels_first(),
    *conv_transpose(),
    *by_channel(),
    *pooling(),
    *global_pooling(),
    *sides(),
    *upsampling(),
]
