"""The cases of the layers that know no space: activations, normalisations, merges, and what moves numbers."""

from itertools import product

from oracles.compare import Case
from oracles.spatial_cases import EVEN, first

FLAT, SERIES, VOLUME = (4, 6), (3, 5, 4), (2, 3, 4, 2, 4)


def activation_layers() -> list[Case]:
    """Slopes and alphas, shared axes, several axes of softmax; values at the kinks."""
    found = [
        Case("LeakyReLU", {"negative_slope": slope}, (shape,), values)
        for slope, shape, values in product((0.3, 0.0, 1.0, 2.5), (FLAT, EVEN), ("normal", "ties"))
    ]
    found += [Case("LeakyReLU", {}, (SERIES,))]
    found += [
        Case("ELU", arguments, (shape,), values)
        for arguments, shape, values in product(({}, {"alpha": 0.5}, {"alpha": 2.0}), (FLAT, EVEN), ("normal", "ties"))
    ]
    found += [
        Case("PReLU", {"shared_axes": shared}, (EVEN,), values)
        for shared, values in product((None, 1, [1], [1, 2], (2, 1), [3], [1, 2, 3]), ("normal", "ties"))
    ]
    found += [Case("PReLU", {"alpha_initializer": "ones"}, (shape,)) for shape in (FLAT, SERIES, VOLUME)]
    found += [Case("Softmax", {"axis": axis}, (EVEN,)) for axis in ([1], [1, 2], [-1, 1], [1, 2, 3], [0, 1])]
    found += [Case("Softmax", {}, (shape,), "ties") for shape in (FLAT, SERIES, VOLUME)]
    found += [Case("ReLU", {"max_value": 6}, (FLAT,)), Case("ReLU", {"max_value": 6, "negative_slope": 0.5}, (FLAT,))]
    return found


def normalization() -> list[Case]:
    """Axes, center and scale, epsilon, groups, one cell, one item, two to five axes, channels first."""
    found = [Case("LayerNormalization", {}, (shape,)) for shape in (FLAT, SERIES, EVEN, VOLUME, (1, 1, 4))]
    found += [
        Case("LayerNormalization", {"axis": axis}, (EVEN,))
        for axis in (3, [3], [2, 3], [3, 2], [-1, -2], [1, 2, 3], [-1, -3])
    ]
    found += [Case("LayerNormalization", {"axis": axis}, (VOLUME,)) for axis in ([1, 3], [4, 2], [1, 2, 4])]
    groups = (
        (1, (2, 5, 6)),
        (2, (2, 6)),
        (3, (2, 5, 6)),
        (6, (3, 4, 6)),
        (2, EVEN[:3] + (4,)),
        (2, VOLUME),
        (-1, EVEN),
    )
    found += [Case("GroupNormalization", {"groups": count}, (shape,)) for count, shape in groups]
    found += [
        Case("GroupNormalization", {"groups": count, "axis": axis}, ((3, 4, 5, 6),))
        for count, axis in ((2, 1), (5, 2), (3, 3), (3, -1), (5, -2), (2, -3), (-1, 1))
    ]
    found.append(Case("GroupNormalization", {}, ((2, 3, 3, 64),)))
    options = [{"center": center, "scale": scale} for center, scale in product((True, False), (True, False))]
    for arguments in (*options, {"epsilon": 1e-5}, {"beta_initializer": "ones", "gamma_initializer": "zeros"}):
        found.append(Case("LayerNormalization", arguments, (SERIES,)))
        found.append(Case("GroupNormalization", {"groups": 2, **arguments}, (SERIES,)))
    found += [Case("UnitNormalization", {}, (shape,)) for shape in (FLAT, SERIES, EVEN)]
    found += [Case("UnitNormalization", {"axis": axis}, (EVEN,)) for axis in (1, 2, -2, [1, 2], [-1, -2], [1, 2, 3])]
    found += [Case("BatchNormalization", {"axis": 1}, (first(shape),)) for shape in (SERIES, EVEN, VOLUME)]
    return found


def chance() -> list[Case]:
    """Layers that draw numbers, as long as they draw none."""
    found = [Case(name, {argument: 0.0}, (SERIES,)) for name, argument in (
        ("GaussianNoise", "stddev"), ("GaussianDropout", "rate"), ("AlphaDropout", "rate"), ("SpatialDropout1D", "rate")
    )]  # fmt: skip
    found += [Case("SpatialDropout2D", {"rate": 0.0}, (EVEN,)), Case("SpatialDropout3D", {"rate": 0}, (VOLUME,))]
    return found


def merges() -> list[Case]:
    """Two and three inputs, one, axes that stretch, fewer axes, ties; axes of Dot."""
    shapes = [
        (FLAT,) * 2,
        (EVEN, EVEN),
        ((2, 4, 4, 3), (2, 1, 1, 3)),
        ((2, 1, 4, 1), (2, 5, 1, 3)),
        ((2, 3), (2, 4, 3)),
        ((2, 4, 5, 3), (2, 3)),
    ]
    more = [(FLAT,) * 3, ((2, 3), (2, 4, 1), (2, 5, 1, 3)), (SERIES,)]
    elementwise = ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum")
    found = [
        Case(name, {}, inputs)
        for name, inputs in product(elementwise, shapes)
        if (name, inputs) not in (("Add", shapes[2]),)
    ]
    found += [Case(name, {}, inputs) for name, inputs in product(elementwise, more[:2]) if name != "Subtract"]
    found += [Case(name, {}, shapes[0], "ties") for name in ("Multiply", "Maximum", "Minimum")]
    dots = [
        (1, (FLAT, FLAT)),
        (-1, (FLAT, FLAT)),
        (-1, (SERIES, SERIES)),
        (2, (SERIES, (3, 2, 4))),
        (1, (SERIES, (3, 5, 7))),
        ((1, 2), ((2, 3, 5), (2, 10, 3))),
        ([2, 1], ((2, 3, 5), (2, 5, 4))),
        ((-1, -2), ((2, 3, 5), (2, 5, 4))),
        ((1, 2), ((2, 4), (2, 3, 4))),
        ((2, 1), ((2, 3, 4), (2, 4))),
        ((3, 1), ((2, 3, 4, 5), (2, 5, 6))),
        ((2, 3), ((2, 3, 4, 5), (2, 6, 7, 4))),
        ((1, 1), ((2, 3, 4, 5), (2, 3))),
    ]
    return found + [
        Case("Dot", {"axes": axes, "normalize": normalize}, inputs)
        for (axes, inputs), normalize in product(dots, (False, True))
    ]


def moving() -> list[Case]:
    """Shapes with and without -1, every order of axes, repetitions; places where nothing happens."""
    targets = [(6,), (2, 3), (-1,), (3, -1), (1, 6), (-1, 3, 2), (6, 1, 1)]
    found = [Case("Reshape", {"target_shape": target}, (FLAT,)) for target in targets]
    found += [
        Case("Reshape", {"target_shape": target}, (EVEN,)) for target in ((-1, 3), (64, 3), [8, 8, 3], (4, -1, 6))
    ]
    found += [
        Case("Reshape", {"target_shape": (2, -1)}, (FLAT,), "int32"),
        Case("Reshape", {"target_shape": ()}, ((3, 1),)),
    ]
    found += [Case("Permute", {"dims": dims}, (SERIES,)) for dims in ((1, 2), (2, 1), [2, 1])]
    found += [Case("Permute", {"dims": dims}, (EVEN,)) for dims in ((3, 1, 2), (2, 3, 1), (1, 3, 2))]
    found += [Case("Permute", {"dims": (1,)}, (FLAT,)), Case("Permute", {"dims": (4, 2, 1, 3)}, (VOLUME,), "uint8")]
    found += [Case("RepeatVector", {"n": n}, (shape,)) for n, shape in product((1, 3), (FLAT, (1, 1)))]
    found += [Case("Identity", {}, (shape,)) for shape in (FLAT, EVEN, (3,))]
    found += [
        Case("Masking", arguments, (shape,), values)
        for arguments, shape, values in product(
            ({}, {"mask_value": 1.0}, {"mask_value": -1}), ((4, 6, 2), (9, 2)), ("ties", "normal")
        )
    ]
    return found


def embedding() -> list[Case]:
    """Whole numbers of several kinds, one to three axes."""
    found = [
        Case("Embedding", {"input_dim": 256, "output_dim": length, **more}, (shape,), kind)
        for length, more, shape, kind in product(
            (1, 5), ({}, {"mask_zero": True}), ((4,), (3, 6), (2, 3, 4)), ("int32", "int64", "uint8")
        )
    ]
    return found


PLAIN = [*activation_layers(), *normalization(), *chance(), *merges(), *moving(), *embedding()]
