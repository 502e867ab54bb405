"""Optimizers, where Keras has them."""

from striate.training.optimizer import Optimizer
from striate.training.optimizers import SGD, Adam, AdamW, RMSprop, get, serialize

deserialize = get

__all__ = ["SGD", "Adam", "AdamW", "Optimizer", "RMSprop", "deserialize", "get", "serialize"]
