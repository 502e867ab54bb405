"""Random networks whose layers often follow one another as the plan likes them."""

import random

import torch

from striate import layers
from striate.layers.symbol import ShapeError
from striate.models import Model


def network(seed):
    """A network whose layers often follow one another as the plan likes them."""
    choose = random.Random(seed)
    axes = choose.choice([2, 2, 2, 2, 1, 3])
    results = [layers.Input((*(choose.randint(5, 9) for _ in range(axes)), choose.randint(1, 4)))]
    for _ in range(choose.randint(3, 12)):
        if choose.random() < 0.15:
            like = [one for one in results[1:-1] if one.shape == results[-1].shape]
            if like:
                results.append(layers.Add()([results[-1], choose.choice(like)]))
            continue
        try:
            before = type(results[-1].node.layer).__name__
            results.append(one_layer(choose, axes, before)(results[-1]))
        except ShapeError:  # smaller than the window
            continue
    if axes == 1 and choose.random() < 0.7:
        results.append(layers.Conv1D(9, 3, padding="same", activation=choose.choice([None, "relu"]))(results[-1]))
        return Model(results[0], layers.Dense(3)(layers.GlobalMaxPooling1D()(results[-1])))
    end = choose.choice([layers.Flatten(), getattr(layers, f"GlobalMaxPooling{axes}D")()])
    return Model(results[0], layers.Dense(3)(end(results[-1])))


NEXT = {
    "Conv": ["norm", "relu", "relu", "pool"],
    "Zero": ["depthwise"],
    "Dept": ["norm", "norm", "norm", "norm", "relu"],
    "ReLU": ["pool", "pool", "conv"],
    "Acti": ["pool", "pool", "conv"],
    "Batc": ["relu", "relu", "conv", "pool"],  # normalised once more, gradients would be rounding alone
}


def one_layer(choose, axes, before):
    kind = choose.choice(
        NEXT.get(
            before[:4],
            [
                "conv",
                "conv",
                "conv",
                *["depthwise"] * (axes == 2),
                *["zeros"] * (axes == 2),
                "norm",
                "relu",
                "pool",
                "dense",
            ],
        )
    )
    size = tuple(choose.randint(1, 3) for _ in range(axes))
    padding, flag, trainable = choose.choice(["valid", "same"]), choose.random() < 0.7, choose.random() < 0.8
    if kind == "conv":
        strides = 2 if min(size) > 1 and choose.random() < 0.2 else 1
        activation = choose.choice([None, None, None, "relu", "tanh"])
        options = {"activation": activation, "use_bias": flag, "trainable": trainable}
        return getattr(layers, f"Conv{axes}D")(choose.choice([1, 4, 9, 17]), size, strides, padding, **options)
    if kind == "zeros":
        return layers.ZeroPadding2D(choose.choice([1, (0, 2), ((0, 1), (0, 1))]))
    if kind == "depthwise":
        options = {"dilation_rate": 2} if choose.random() < 0.1 else {"strides": choose.choice([1, 1, 2])}
        options |= {"activation": choose.choice([None] * 6 + ["relu", "relu6", "tanh"]), "use_bias": flag}
        return layers.DepthwiseConv2D(
            3 if choose.random() < 0.5 else size,
            padding=padding,
            depth_multiplier=choose.choice([1] * 9 + [2]),
            trainable=trainable,
            **options,
        )
    if kind == "pool":
        size, strides = (
            choose.choice([(2,) * axes] * 3 + [size]),
            choose.choice([None] * 4 + [(1,) * axes, (3,) * axes]),
        )
        return getattr(layers, f"MaxPooling{axes}D")(size, strides, padding)
    if kind == "norm":
        return layers.BatchNormalization(momentum=0.5, scale=flag, trainable=trainable)
    if kind == "dense":
        return layers.Dense(choose.choice([1, 5, 16]), activation=choose.choice([None, "relu", "tanh"]))
    return choose.choice(
        [layers.ReLU(), layers.ReLU(max_value=0.5), layers.Activation("relu"), layers.Activation("relu6")]
    )


def prepared(seed, values):
    """The network with random weights, and data."""
    model, numbers = network(seed), torch.Generator().manual_seed(values)
    with torch.no_grad():
        for name, weight in model.state_dict().items():
            value = torch.rand(weight.shape, generator=numbers) - 0.5
            weight.copy_(value + 1 if name.endswith("variance") else value)
    return model, torch.randn(3, *model.input.shape[1:], generator=numbers)


def passes(model, x, training):
    """Outputs, gradients by inputs and weights, and moving statistics."""
    x = x.clone().requires_grad_()
    y = model(x, training=training)
    wanted = [x, *(weight for weight in model.parameters() if weight.requires_grad)]
    return [y, *torch.autograd.grad(y.square().sum(), wanted, allow_unused=True), *model.buffers()]
