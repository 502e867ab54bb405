"""The sides of `networks.py` that stand on torch: striate, PyTorch as it is installed, and PyTorch tuned.

A step of striate's training is what `fit` does for a batch between its callbacks: `check_finite`, then
`training.loop.train_step` with striate's objective and optimizer. PyTorch's is the loop that its tutorials write.
"""

import argparse
import contextlib
import itertools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
import torch._dynamo  # optimizers import it when first made: that memory is not the step's
from networks_table import NETWORKS
from serve import Make, serve
from torch import nn
from torch_twin import Twin, channels_first, fold, torch_loss

from striate.data.feed import Batch, check_finite
from striate.layers import BatchNormalization
from striate.layers.structure import mode
from striate.models import Model, Program
from striate.optimizers import Adam
from striate.training.loop import train_step
from striate.training.memory import keep_freed_memory
from striate.utils import set_random_seed

BATCHES = 8  # that training goes round
EPSILON, BETA_2 = 1e-7, 0.999  # of Keras's Adam
SHOWN = 64  # outputs that are compared
FORMATS = {4: torch.channels_last, 5: torch.channels_last_3d}


def make_model(name: str, checked: bool, batch: int | None = None) -> Model:
    """The network, with the same first weights in every process; to predict, with statistics that fit the data.

    With those that batch normalization begins with, a deep network's outputs do not depend on its input.
    """
    set_random_seed(0)
    model = NETWORKS[name].make(0.0 if checked else NETWORKS[name].dropout)
    norms = [layer for layer in model.layers if isinstance(layer, BatchNormalization)]
    if batch and norms:
        momenta = [layer.momentum for layer in norms]
        for layer in norms:
            layer.momentum = 0.0
        with torch.no_grad(), mode(model, True):
            model(torch.from_numpy(make_data(name, model, 16)[0]))
        for layer, momentum in zip(norms, momenta, strict=True):
            layer.momentum = momentum
    return model


def make_data(name: str, model: Model, batch: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Batches for training, or one of so many items to predict."""
    return NETWORKS[name].data(model, batch or NETWORKS[name].batch * BATCHES)


def save_data(path: str, name: str, model: Model, batch: int | None) -> None:
    """Leave the data in an .npz file for peers that do not know striate."""
    x, y = make_data(name, model, batch)
    np.savez(path, x=x, y=y)


def some(outputs: Any) -> list[float]:
    """Some of the outputs (N, ..., C), evenly spread."""
    flat = np.asarray(outputs, np.float32).reshape(-1)
    return flat[:: max(1, len(flat) // SHOWN)].tolist()


class Ours:
    """striate, as a user has it: compiled, trained as `fit` trains, called to predict."""

    def __init__(self, options: argparse.Namespace, checked: bool) -> None:
        self.training = options.batch is None
        self.model = model = make_model(options.network, checked, options.batch)
        loss = NETWORKS[options.network].loss
        model.compile(Adam(NETWORKS[options.network].rate), loss, precision=options.precision)
        x, y = map(torch.from_numpy, make_data(options.network, model, options.batch))
        self.size = options.batch or NETWORKS[options.network].batch
        self.batches = itertools.cycle(list(map(Batch, x.split(self.size), y.split(self.size))))
        keep_freed_memory()  # as `fit` does
        if not self.training:
            self.x = x
            self.predict = Program(model) if options.precision == "float32" else model
            return
        self.objective = model._need_compiled()
        self._in_mode = contextlib.ExitStack()
        self._in_mode.enter_context(mode(model, True))

    def step(self) -> None:
        """A step of training, or the outputs."""
        if self.training:
            batch = next(self.batches)
            if not self.model.optimizer.built:  # here, so that its memory counts
                self.model._make_ready("fit")
                self.alone = self.model._alone()
            check_finite(batch, 0)
            train_step(self.model, batch, self.objective, self.model.optimizer, alone=self.alone)
        else:
            with torch.inference_mode():
                self.outputs = self.predict(self.x)

    def figures(self) -> list[float]:
        """The mean loss since last asked, or some of the outputs."""
        if not self.training:
            return some(self.outputs)
        loss = float(self.objective.total.result())
        self.objective.reset()
        return [loss]


class Theirs:
    """The same network in PyTorch.

    Args:
        tuned: As one does who knows PyTorch: fused Adam, ReLU in place, batch normalization folded to predict.
        last: Whether pictures and volumes lie channels-last in memory.
        compiled: Whether `torch.compile` gets it.
    """

    def __init__(self, options: argparse.Namespace, checked: bool, *, tuned=False, last=False, compiled=False) -> None:
        self.training = options.batch is None
        model = make_model(options.network, checked, options.batch)
        twin, network = Twin(model), NETWORKS[options.network]
        x, y = make_data(options.network, model, options.batch)
        self.module: Any = twin.module.train(self.training)
        self.final, self.loss = twin.final, torch_loss(network.loss)
        self.half = options.precision == "bfloat16"
        if tuned:
            self._tune()
        inputs = channels_first(torch.from_numpy(x)).contiguous()
        if last and inputs.ndim in FORMATS:
            inputs = inputs.contiguous(memory_format=FORMATS[inputs.ndim])
            self.module.to(memory_format=FORMATS[inputs.ndim])
        if self.training:
            parameters = self.module.parameters()
            more = {"fused": True} if tuned else {}
            self.optimizer = torch.optim.Adam(parameters, lr=network.rate, **more)
        self.counted = 0 if checked else None
        if compiled:
            self.module = torch.compile(self.module)
        self.x = inputs
        self.batches = self._round(inputs, torch.from_numpy(y), network.batch)

    def _tune(self) -> None:
        keep_freed_memory()
        if not self.training:
            fold(self.module)
        for module in self.module.modules():
            if isinstance(module, nn.ReLU | nn.ReLU6):
                module.inplace = True

    @staticmethod
    def _round(x: torch.Tensor, y: torch.Tensor, size: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        return itertools.cycle(list(zip(x.split(size), y.split(size), strict=True)))

    def _autocast(self) -> contextlib.AbstractContextManager[Any]:
        return torch.autocast("cpu", torch.bfloat16) if self.half else contextlib.nullcontext()

    def step(self) -> None:
        """A step of training, or the outputs."""
        if not self.training:
            with torch.inference_mode(), self._autocast():
                self.outputs = self.final(self.module(self.x))
            return
        if self.counted is not None:
            self._follow_keras()
        x, y = next(self.batches)
        self.optimizer.zero_grad()
        with self._autocast():
            scores = self.module(x)
        loss = self.loss(scores.float(), y)
        loss.backward()
        self.optimizer.step()
        self.last_loss = loss.item()

    def _follow_keras(self) -> None:
        """Let epsilon count as in Keras's Adam, which adds it to another root: else losses drift apart."""
        self.counted += 1
        self.optimizer.param_groups[0]["eps"] = EPSILON / math.sqrt(1 - BETA_2**self.counted)

    def figures(self) -> list[float]:
        """The last loss, or some of the last outputs."""
        if self.training:
            return [self.last_loss]
        outputs = self.outputs.float()
        return some(outputs.movedim(1, -1) if outputs.ndim > 2 else outputs)


def ways(options: argparse.Namespace) -> dict[str, Make]:
    """What a side may choose from."""
    if options.side == "striate":
        return {"": lambda checked: Ours(options, checked)}
    if options.side == "torch":
        return {"": lambda checked: Theirs(options, checked)}
    found: dict[str, Make] = {
        "channels_last": lambda checked: Theirs(options, checked, tuned=True, last=True),
        "channels first": lambda checked: Theirs(options, checked, tuned=True),
    }
    if options.compile:
        found["compiled"] = lambda checked: Theirs(options, checked, tuned=True, last=True, compiled=True)
    return found


def main() -> None:
    """Serve one side."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("side", choices=["striate", "torch", "torch tuned"])
    parser.add_argument("network", choices=list(NETWORKS))
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--batch", type=int, help="items to predict; a step of training if left out")
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--compile", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    serve(ways(options), options.steps if options.batch is None else 1)


if __name__ == "__main__":
    main()
