"""Well-known data sets, where Keras has them, out of local copies: `mnist.load_data()`. Nothing is ever fetched."""

from striate.datasets import cifar10, cifar100, fashion_mnist, mnist
from striate.foundation.absent import explain_absent

__all__ = ["cifar10", "cifar100", "fashion_mnist", "mnist"]

explain_absent(__name__)
