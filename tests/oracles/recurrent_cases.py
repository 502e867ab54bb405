"""The rows of the layers that go through sequences, and of those around them."""

from itertools import product

from oracles.compare import Case

NAMED = ("SimpleRNN", "LSTM", "GRU")
SEQUENCE = (3, 5, 4)
# Sizes where mistakes hide: one of everything, one step, one item, one feature.
SMALL = ((1, 1, 1), (2, 1, 3), (1, 4, 3), (2, 6, 1))


def named() -> list[Case]:
    """LSTM, GRU and SimpleRNN: sizes, directions, biases, activations, torch's own functions and step by step."""
    found = []
    for layer in NAMED:
        found += [Case(layer, {"units": units}, (shape,)) for units, shape in product((1, 3), (SEQUENCE, *SMALL))]
        found += [
            Case(
                layer, {"units": 3, "use_bias": use_bias, "return_sequences": every, "go_backwards": back}, (SEQUENCE,)
            )
            for use_bias, every, back in product((True, False), (True, False), (True, False))
        ]
        found += [
            Case(layer, {"units": 3, "activation": name, "return_sequences": True}, (SEQUENCE,))
            for name in ("relu", "elu", "softsign", "linear", None)
        ]
        found.append(Case(layer, {"units": 3, "unroll": True}, (SEQUENCE,)))
    for layer in ("LSTM", "GRU"):
        found += [
            Case(layer, {"units": 3, "recurrent_activation": gate, "activation": name}, (SEQUENCE,))
            for gate, name in (("hard_sigmoid", "tanh"), ("relu", "relu"), (None, "softplus"))
        ]
        found += [
            Case(layer, {"units": 3, "use_cudnn": False, "use_bias": use_bias, "return_sequences": True}, (SEQUENCE,))
            for use_bias in (True, False)
        ]
    found += [
        Case("GRU", {"units": 3, "reset_after": False, "use_bias": use_bias, "return_sequences": True}, (SEQUENCE,))
        for use_bias in (True, False)
    ]
    found.append(Case("LSTM", {"units": 3, "unit_forget_bias": False}, (SEQUENCE,)))
    return found


def cells() -> list[Case]:
    """RNN with each cell, alone and stacked."""
    found = [Case("RNN", {"cell": Case(f"{name}Cell", {"units": 3})}, (SEQUENCE,)) for name in NAMED]
    stack = [Case("LSTMCell", {"units": 3}), Case("SimpleRNNCell", {"units": 2}), Case("GRUCell", {"units": 4})]
    found += [
        Case("RNN", {"cell": stack, "return_sequences": every, "go_backwards": back}, (SEQUENCE,))
        for every, back in product((True, False), (True, False))
    ]
    return found


def wrapped() -> list[Case]:
    """Bidirectional with every way to join, TimeDistributed with layers of several ranks."""
    found = [
        Case(
            "Bidirectional",
            {"layer": Case(name, {"units": 3, "return_sequences": every}), "merge_mode": mode},
            (SEQUENCE,),
        )
        for name, every, mode in product(NAMED, (True, False), ("concat", "sum", "mul", "ave"))
    ]
    forward, backward = Case("LSTM", {"units": 3}), Case("GRU", {"units": 3, "go_backwards": True})
    found.append(Case("Bidirectional", {"layer": forward, "backward_layer": backward}, (SEQUENCE,)))
    found += [
        Case("TimeDistributed", {"layer": layer}, (shape,))
        for layer, shape in (
            (Case("Dense", {"units": 3, "activation": "relu"}), SEQUENCE),
            (Case("Dense", {"units": 3}), (1, 1, 1)),
            (Case("Conv2D", {"filters": 2, "kernel_size": 2}), (2, 3, 4, 5, 2)),
            (Case("MaxPooling1D", {}), (2, 3, 4, 2)),
            (Case("Flatten"), (2, 3, 4, 5, 2)),
            (Case("BatchNormalization"), (4, 3, 2)),
            (Case("LSTM", {"units": 2}), (2, 3, 4, 2)),
        )
    ]
    return found


RECURRENT = [*named(), *cells(), *wrapped()]
