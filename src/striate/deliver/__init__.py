"""Models made to be handed on: sealed files, and predictors that check them."""

from striate.deliver.predictor import Predictor
from striate.deliver.sealed import Sealed, amend, read_contents, seal, unseal

__all__ = ["Predictor", "Sealed", "amend", "read_contents", "seal", "unseal"]
