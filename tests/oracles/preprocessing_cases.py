"""The cases of the layers that prepare pictures; what they draw at random has tests of its own.

Whole numbers have no rows where Keras hands them on as such, truncated or rounded by its backend: here they become
floats everywhere.
"""

from itertools import product

from oracles.compare import Case
from oracles.spatial_cases import EVEN, ODD, first

SIZES = ((4, 6), (8, 8), (5, 3), (11, 17))


def sizes() -> list[Case]:
    """Growing, shrinking, cutting and filling up; channels first."""
    found = [
        Case("Resizing", {"height": height, "width": width, "interpolation": method}, (ODD,))
        for (height, width), method in product(SIZES, ("bilinear", "nearest", "bicubic"))
    ]
    found += [
        Case("Resizing", {"height": height, "width": width, **options}, (shape,))
        for (height, width), (options, shape) in product(
            SIZES,
            (
                ({"crop_to_aspect_ratio": True}, EVEN),
                ({"pad_to_aspect_ratio": True, "fill_value": 2.0}, EVEN),
                ({"antialias": True}, ODD),
                ({"data_format": "channels_first"}, first(ODD)),
            ),
        )
    ]
    found += [
        Case("CenterCrop", {"height": height, "width": width}, (shape,), values)
        for (height, width), shape, values in product(SIZES, (EVEN, ODD), ("normal", "uint8"))
    ]
    found.append(Case("CenterCrop", {"height": 3, "width": 4, "data_format": "channels_first"}, (first(ODD),)))
    return found


def numbers() -> list[Case]:
    """Normalization with what it would have learnt, along several axes."""
    per_channel = {"mean": [0.5, 1.0, 2.0], "variance": [1.0, 0.25, 4.0]}
    found = [
        Case("Normalization", {**per_channel, "invert": invert}, (shape,), values)
        for invert, shape, values in product((False, True), ((4, 3), EVEN), ("normal", "uint8"))
    ]
    found.append(Case("Normalization", {"axis": None, "mean": 2.0, "variance": 0.0}, (EVEN,)))
    found.append(Case("Normalization", {"axis": 1, "mean": [0.0, 1.0], "variance": [1.0, 2.0]}, ((3, 2, 4),)))
    return found


def random() -> list[Case]:
    """What training changes at random is left as it is in inference."""
    layers = (
        ("RandomFlip", {"mode": "horizontal"}),
        ("RandomRotation", {"factor": [-0.2, 0.3], "fill_mode": "constant", "fill_value": 7.0}),
        ("RandomZoom", {"height_factor": 0.3, "width_factor": [-0.1, 0.2], "fill_mode": "wrap"}),
        ("RandomTranslation", {"height_factor": 0.3, "width_factor": 0.1, "interpolation": "nearest"}),
        ("RandomCrop", {"height": 8, "width": 8}),
        ("RandomContrast", {"factor": [0.25, 0.5], "value_range": [0, 1]}),
        ("RandomBrightness", {"factor": [-0.5, 0.25], "value_range": [0, 1]}),
    )
    return [Case(name, {**options, "seed": 3}, (EVEN,), training=(False,)) for name, options in layers]


PREPROCESSING = [*sizes(), *numbers(), *random()]
