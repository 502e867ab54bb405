"""The residual networks that Keras does not have, beside plain torch modules written from the paper's table 1."""

import numpy as np
import pytest
import torch
from torch import nn

from striate.models.applications import ResNet18, ResNet34


class Block(nn.Module):
    def __init__(self, channels, filters, stride):
        super().__init__()
        self.project = stride > 1 or channels != filters
        # In the order of our layers' weights.
        self.conv1, self.bn1 = nn.Conv2d(channels, filters, 3, stride, 1), nn.BatchNorm2d(filters, 1.001e-5)
        self.conv2, self.bn2 = nn.Conv2d(filters, filters, 3, 1, 1), nn.BatchNorm2d(filters, 1.001e-5)
        if self.project:
            self.conv0, self.bn0 = nn.Conv2d(channels, filters, 1, stride), nn.BatchNorm2d(filters, 1.001e-5)

    def forward(self, x):
        y = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
        return torch.relu(y + (self.bn0(self.conv0(x)) if self.project else x))


def twin(blocks, classes):
    layers, channels = [nn.Conv2d(3, 64, 7, 2, 3), nn.BatchNorm2d(64, 1.001e-5), nn.ReLU(), nn.MaxPool2d(3, 2, 1)], 64
    for stage, count in enumerate(blocks):
        for turn in range(count):
            layers.append(Block(channels, 64 * 2**stage, 2 if turn == 0 and stage else 1))
            channels = 64 * 2**stage
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, classes), nn.Softmax(1)).eval()


def hand_over(model, module):
    """Give each torch module the weights of our layer of the same place."""
    names = {"conv0": "0_conv", "bn0": "0_bn", "conv1": "1_conv", "bn1": "1_bn", "conv2": "2_conv", "bn2": "2_bn"}
    places = [("conv1_conv", module[0]), ("conv1_bn", module[1]), ("predictions", module[-2])]
    stage, turn = 1, 0
    for block in (part for part in module if isinstance(part, Block)):
        new = stage == 1 or (block.project and block.conv1.stride == (2, 2))
        stage, turn = (stage + 1, 1) if new else (stage, turn + 1)
        places += [(f"conv{stage}_block{turn}_{names[name]}", part) for name, part in block.named_children()]
    for name, part in places:
        values = [torch.from_numpy(np.ascontiguousarray(value)) for value in model.get_layer(name).get_weights()]
        with torch.no_grad():
            if isinstance(part, nn.BatchNorm2d):
                for own, value in zip(
                    (part.weight, part.bias, part.running_mean, part.running_var), values, strict=True
                ):
                    own.copy_(value)
            else:
                part.weight.copy_(values[0].permute(3, 2, 0, 1) if values[0].ndim == 4 else values[0].T)
                part.bias.copy_(values[1])


@pytest.mark.parametrize(("build", "blocks"), [(ResNet18, (2, 2, 2, 2)), (ResNet34, (3, 4, 6, 3))])
def test_beside_torch(build, blocks):
    model = build(weights=None, input_shape=(63, 70, 3), classes=7)
    random = np.random.default_rng(0)
    model.set_weights(
        [
            (
                random.uniform(0.7, 1.3, w.shape)
                if w.ndim < 2
                else 0.5 * random.normal(size=w.shape) / w[..., 0].size ** 0.5
            )
            for w in model.get_weights()
        ]
    )
    module = twin(blocks, 7)
    hand_over(model, module)
    x = random.normal(size=(2, 63, 70, 3)).astype("float32")
    with torch.no_grad():
        expected = module(torch.from_numpy(x).permute(0, 3, 1, 2)).numpy()
    np.testing.assert_allclose(model.predict(x, verbose=0), expected, rtol=1e-4, atol=1e-6)
    assert sum(p.numel() for p in module.parameters()) == sum(w.numel() for w in model.trainable_weights)
