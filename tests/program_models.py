"""Random networks of layers that programs have rules for, and of some that they have none for."""

import random

from striate import layers
from striate.layers.symbol import ShapeError
from striate.models import Model

SEEDS = range(60)


def one_layer(choose, axes):
    size, small = tuple(choose.randint(1, 3) for _ in range(axes)), choose.choice([1, 4, 9, 17, 33])
    padding, activation = choose.choice(["valid", "same"]), choose.choice([None, None, "relu", "tanh", "relu6"])
    strides = choose.choice([1, 1, 2])
    kinds = {
        "Conv": lambda: of("Conv")(
            small, size, strides, padding, activation=activation, use_bias=choose.random() < 0.7
        ),
        "dilated": lambda: of("Conv")(small, size, 1, padding, dilation_rate=2),
        "three": lambda: of("Conv")(choose.choice([32, 40]), 3, padding=padding, activation=activation),
        "Depthwise": lambda: of("DepthwiseConv" if axes < 3 else "Conv", *[""] * (axes < 3))(
            *([] if axes < 3 else [small]), size, 1 if axes < 3 and max(size) > min(size) else strides, padding
        ),
        "Separable": lambda: of("SeparableConv" if axes < 3 else "Conv")(
            small, size, 1, padding, activation=activation
        ),
        "Transposed": lambda: of("Conv", "Transpose")(small, size, min(size), padding, activation=activation),
        "MaxPooling": lambda: of("MaxPooling")(choose.choice([2, size]), padding=padding),
        "AveragePooling": lambda: of("AveragePooling")(size, choose.choice([None, 2]), padding),
        "ZeroPadding": lambda: of("ZeroPadding")(choose.randint(0, 2)),
        "UpSampling": lambda: of("UpSampling")(size if axes > 1 else size[0]),
        "norm": lambda: layers.BatchNormalization(scale=choose.random() < 0.7),
        "relu": lambda: choose.choice([layers.ReLU(), layers.ReLU(6.0), layers.Activation("relu"), layers.LeakyReLU()]),
        "sigmoid": lambda: layers.Activation("sigmoid"),
        "dropout": lambda: layers.Dropout(0.5),
        "Dense": lambda: layers.Dense(choose.choice([1, 5, 16]), activation=activation),
    }

    def of(name, after=""):
        return getattr(layers, f"{name}{axes}D{after}")

    return choose.choice(list(kinds.values()))()


def random_network(seed):
    choose = random.Random(seed)
    axes = choose.choice([1, 2, 2, 2, 3])
    results = [layers.Input((*(choose.randint(5, 9) for _ in range(axes)), choose.choice([1, 2, 3, 33])))]
    for _ in range(choose.randint(4, 12)):
        like = [one for one in results[1:-1] if one.shape == results[-1].shape]
        merge = choose.choice([layers.Add, layers.Multiply, layers.Subtract, layers.Concatenate, layers.Average])
        if like and choose.random() < 0.3:
            results.append(results[-1] + choose.choice(like) * results[-1])
        if like and choose.random() < 0.5:
            results.append(merge()([results[-1], choose.choice(like)]))
            continue
        try:
            results.append(one_layer(choose, axes)(choose.choice(results[-2:])))
        except ShapeError:  # smaller than the window
            continue
    end = choose.choice(
        [layers.Flatten(), *(getattr(layers, f"Global{which}Pooling{axes}D")() for which in ("Max", "Average"))]
    )
    last = layers.Dense(3, activation=choose.choice([None, "softmax"]))(end(results[-1]))
    more = [choose.choice(results)] if choose.random() < 0.3 else []
    return Model(results[0], [last, *more] if more else last)
