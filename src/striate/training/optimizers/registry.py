"""The optimizers by name."""

from striate.foundation.registry import Registry
from striate.training.optimizer import Optimizer

registry: Registry[Optimizer] = Registry("optimizer", "keras.optimizers", Optimizer)
