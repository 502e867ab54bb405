"""The table of cases: every layer, every option, in the sizes where mistakes hide."""

from itertools import product

from oracles.compare import Case
from oracles.plain_cases import PLAIN
from oracles.preprocessing_cases import PREPROCESSING
from oracles.recurrent_cases import RECURRENT
from oracles.spatial_cases import EVEN, ODD, SPATIAL, first
from striate.layers.activation import ALIASES, FUNCTIONS


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
    found += [Case("Flatten", {"data_format": "channels_first"}, (first(shape),)) for shape in ((2, 3), (2, 4, 3), ODD)]
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


def penalised() -> list[Case]:
    """What is added to the loss of what comes out: of one array, of each step, of both directions."""
    l1 = {"module": "keras.regularizers", "class_name": "L1", "config": {"l1": 0.5}, "registered_name": None}
    lstm = Case("LSTM", {"units": 3, "return_sequences": True, "activity_regularizer": "l2"})
    window = {"kernel_size": 3, "activity_regularizer": "l2"}
    return [
        Case("ActivityRegularization", {"l1": 0.5, "l2": 0.25}, (EVEN,)),
        Case("ActivityRegularization", {"l2": 2.0}, ((3, 4),)),
        Case("Dense", {"units": 4, "activity_regularizer": "l2", "kernel_regularizer": l1}, ((3, 4),)),
        Case("Conv2D", {"filters": 4, "kernel_size": 3, "activity_regularizer": l1, "activation": "relu"}, (EVEN,)),
        Case("Conv2DTranspose", {"filters": 4, **window}, (EVEN,)),
        Case("DepthwiseConv2D", window, (EVEN,)),
        Case("SeparableConv2D", {"filters": 2, **window}, (EVEN,)),
        Case("Embedding", {"input_dim": 256, "output_dim": 4, "activity_regularizer": "l2"}, ((3, 5),), "int32"),
        Case("GRU", {"units": 3, "activity_regularizer": "l2"}, ((2, 5, 4),)),
        Case("LSTM", lstm.arguments, ((2, 5, 4),)),
        Case("Bidirectional", {"layer": lstm}, ((2, 5, 4),)),
        Case("TimeDistributed", {"layer": Case("Dense", {"units": 3}), "activity_regularizer": "l2"}, ((2, 5, 4),)),
        Case("ReLU", {"activity_regularizer": l1}, (EVEN,)),
        Case("Flatten", {"activity_regularizer": l1}, (EVEN,)),
    ]


OWN = [*dense(), *normalization(), *elementwise(), *moving(), *penalised()]
CASES = [*SPATIAL, *RECURRENT, *OWN, *PLAIN, *PREPROCESSING]
