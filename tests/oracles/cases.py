"""The table of cases: every layer, every option, in the sizes where mistakes hide."""

from itertools import product
from typing import Any

from oracles.compare import Case
from striate.layers.activation import ALIASES, FUNCTIONS

EVEN, ODD, THIN = (2, 8, 8, 3), (1, 7, 9, 3), (3, 5, 6, 1)


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
    for layer, keepdims in product(("GlobalMaxPooling2D", "GlobalAveragePooling2D"), (False, True)):
        for shape in (EVEN, ODD, (1, 1, 1, 2)):
            found.append(Case(layer, {"keepdims": keepdims}, (shape,)))
    found.append(Case("GlobalMaxPooling2D", {}, (EVEN,), "ties"))
    return found


def average_pooling_same() -> list[Case]:
    """padding="same" of AveragePooling2D, where Keras's torch backend differs from all its others."""
    sizes = product((2, 3, (3, 2), 4), (None, 1, 2, 3), (EVEN, ODD, THIN))
    return [
        Case("AveragePooling2D", {"pool_size": pool, "strides": strides, "padding": "same"}, (shape,))
        for pool, strides, shape in sizes
    ]


def dense() -> list[Case]:
    """Inputs of two, three and four axes; bias; activations."""
    found = [
        Case("Dense", {"units": units, "use_bias": use_bias}, (shape,))
        for units, use_bias, shape in product((1, 5), (True, False), ((3, 4), (1, 1), (2, 3, 4), (2, 3, 2, 4)))
    ]
    found += [Case("Dense", {"units": 3, "activation": name}, ((4, 5),)) for name in [*FUNCTIONS, *ALIASES]]
    return found


def normalization() -> list[Case]:
    """Axes, center and scale, momentum, epsilon, frozen, one cell, two to five axes."""
    shapes = ((6, 3), (4, 5, 3), (2, 4, 5, 3), (2, 2, 3, 2, 3))
    found = [Case("BatchNormalization", {}, (shape,)) for shape in shapes]
    for center, scale in product((True, False), (True, False)):
        found.append(Case("BatchNormalization", {"center": center, "scale": scale}, (EVEN,)))
    found += [Case("BatchNormalization", {"axis": axis}, ((3, 4, 5, 6),)) for axis in (1, 2, 3, -1, -2, -3)]
    found += [
        Case("BatchNormalization", arguments, (EVEN,))
        for arguments in (
            {"momentum": 0.5, "epsilon": 1e-5},
            {"momentum": 0.0},
            {"momentum": 1.0},
            {"trainable": False},
        )
    ]
    found += [Case("BatchNormalization", {}, (shape,)) for shape in ((1, 3), (1, 1, 1, 3), (1, 2, 2, 3))]
    found.append(Case("BatchNormalization", {}, ((2, 3),), dtypes=("float64",)))
    return found


def elementwise() -> list[Case]:
    """Activations, ReLU's arguments, Softmax's axes, Rescaling of numbers and whole numbers, Dropout."""
    found = [Case("Activation", {"activation": name}, ((2, 3, 4),)) for name in [*FUNCTIONS, *ALIASES]]
    found += [
        Case("ReLU", {"max_value": top, "negative_slope": slope, "threshold": threshold}, ((3, 20),), values)
        for top, slope, threshold, values in product(
            (None, 0.0, 1.0, 2.0), (0.0, 0.1), (0.0, 0.5, 1.0), ("normal", "ties")
        )
    ]
    found += [Case("Softmax", {"axis": axis}, (EVEN,)) for axis in (-1, 1, 2, 3, -2)]
    found += [
        Case("Rescaling", {"scale": scale, "offset": offset}, (EVEN,), values)
        for scale, offset, values in product(
            (1 / 255, 2, [0.5, 1.0, 2.0]), (0.0, -1, [0.1, 0.2, 0.3]), ("normal", "uint8", "int32")
        )
    ]
    found += [Case("Dropout", {"rate": rate}, ((3, 4),)) for rate in (0, 0.0)]
    return found


def moving() -> list[Case]:
    """Layers that move numbers, and those with several inputs."""
    found = [Case("Flatten", {}, (shape,)) for shape in ((2, 3), (2, 3, 4), EVEN, ODD, (2, 2, 3, 2, 3), (4,))]
    found += [
        Case("ZeroPadding2D", {"padding": padding}, (shape,))
        for padding, shape in product((0, 1, (2, 1), ((1, 0), (0, 3)), ((0, 0), (0, 0))), (EVEN, ODD))
    ]
    found += [Case("Add", {}, shapes) for shapes in (((2, 3),) * 2, (EVEN,) * 3, ((2, 4, 4, 3), (2, 1, 1, 3)))]
    found += [
        Case("Concatenate", {"axis": axis}, ((2, 4, 5, 3),) * count)
        for axis, count in product((-1, 1, 2, 3, -2), (2, 3))
    ]
    found += [
        Case("Concatenate", {}, ((2, 4, 4, 3), (2, 4, 4, 1))),
        Case("Concatenate", {"axis": 1}, ((2, 4, 4, 3), (2, 1, 4, 3))),
    ]
    return found


CASES = [*conv2d(), *pooling(), *dense(), *normalization(), *elementwise(), *moving()]
