"""The options that layers with a kernel and a bias share, said once."""

from dataclasses import dataclass
from typing import Any

from striate.foundation.checks import check_flag
from striate.layers import activation, initializers, regularizers
from striate.layers.activation import Function
from striate.layers.initializers import Initializer
from striate.layers.regularizers import Regularizer


@dataclass(frozen=True)
class KernelOptions:
    """How a kernel and its bias begin, what they are penalised with, and what follows them."""

    activation: Function
    use_bias: bool
    kernel_initializer: Initializer
    bias_initializer: Initializer
    kernel_regularizer: Regularizer | None
    bias_regularizer: Regularizer | None

    @classmethod
    def check(cls, where: str, **given: Any) -> "KernelOptions":
        """Resolve names into objects.

        Raises:
            UserError: A name is not known.
        """

        def regularizer(value: Any) -> Regularizer | None:
            return None if value is None else regularizers.get(value, where)

        return cls(
            activation=activation.get(given["activation"], where),
            use_bias=check_flag(where, "use_bias", given["use_bias"]),
            kernel_initializer=initializers.get(given["kernel_initializer"], where),
            bias_initializer=initializers.get(given["bias_initializer"], where),
            kernel_regularizer=regularizer(given["kernel_regularizer"]),
            bias_regularizer=regularizer(given["bias_regularizer"]),
        )

    def config(self) -> dict[str, Any]:
        """The same as Keras's config."""

        def regularizer(value: Regularizer | None) -> dict[str, Any] | None:
            return None if value is None else regularizers.serialize(value)

        return {
            "activation": activation.serialize(self.activation),
            "use_bias": self.use_bias,
            "kernel_initializer": initializers.serialize(self.kernel_initializer),
            "bias_initializer": initializers.serialize(self.bias_initializer),
            "kernel_regularizer": regularizer(self.kernel_regularizer),
            "bias_regularizer": regularizer(self.bias_regularizer),
        }
