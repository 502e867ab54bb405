"""Precisions, where Keras has them."""

from striate.foundation.absent import explain_absent
from striate.layers.policy import DTypePolicy, dtype_policy, set_dtype_policy
from striate.training.optimizers import LossScaleOptimizer

Policy, global_policy, set_global_policy = DTypePolicy, dtype_policy, set_dtype_policy

__all__ = [
    "DTypePolicy",
    "LossScaleOptimizer",
    "Policy",
    "dtype_policy",
    "global_policy",
    "set_dtype_policy",
    "set_global_policy",
]

explain_absent(__name__)
