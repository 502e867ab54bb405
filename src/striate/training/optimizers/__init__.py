"""Optimizers by Keras's names and meaning, computed by torch's kernels.

To add one, write a `RuleOptimizer`, or an `Optimizer` around one of torch's, and register the class.
"""

from striate.training.optimizers.adam import Adam, AdamW
from striate.training.optimizers.adam_variants import Adamax, Nadam
from striate.training.optimizers.adaptive import Adadelta, Adagrad, RMSprop
from striate.training.optimizers.from_torch import TorchOptimizer
from striate.training.optimizers.ftrl import Ftrl
from striate.training.optimizers.lookup import get, serialize
from striate.training.optimizers.loss_scale import LossScaleOptimizer
from striate.training.optimizers.registry import registry
from striate.training.optimizers.sgd import SGD, Lion

deserialize = get

__all__ = [
    "SGD",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Ftrl",
    "Lion",
    "LossScaleOptimizer",
    "Nadam",
    "RMSprop",
    "TorchOptimizer",
    "deserialize",
    "get",
    "registry",
    "serialize",
]
