"""Well-known data sets, where Keras has them, out of local copies: `mnist.load_data()`. Nothing is ever fetched."""

from striate.datasets import cifar10, cifar100, fashion_mnist, mnist

__all__ = ["cifar10", "cifar100", "fashion_mnist", "mnist"]
