"""A sealed model, checked and ready for raw inputs."""

import os
from collections.abc import Callable, Iterable
from typing import Any, Protocol

import numpy as np

from striate.deliver.sealed import outputs_of, unseal
from striate.foundation.checks import UserError
from striate.models.model import Model

BATCH = 64


class Preparation(Protocol):
    """What a predictor needs of a task: how its choices, inputs and outputs are to be read."""

    spec_type: Any

    def prepare_input(self, raw: np.ndarray, spec: Any) -> np.ndarray:
        """One sample as the network takes it."""
        ...

    def decode(self, outputs: Any, spec: Any) -> Any:
        """Predictions out of the network's outputs."""
        ...


class Predictor:
    """Predicts for raw inputs as the training did.

    Args:
        model: The network.
        task: Prepares inputs and decodes outputs.
        spec: The training's choices.
    """

    def __init__(self, model: Model, task: Preparation, spec: Any) -> None:
        self.model, self.task, self.spec = model, task, spec

    @classmethod
    def load(cls, path: str | os.PathLike[str], find: Callable[[str], Any]) -> "Predictor":
        """Read a sealed file and compute its golden outputs again.

        Args:
            path: The file.
            find: Gives the task by its name.

        Raises:
            UserError: The file cannot be used, its choices are another version's, or the golden outputs differ by
                more than 1e-4.
        """
        sealed = unseal(path)
        sealed.check()
        task = find(sealed.contents["task"])
        return cls(sealed.model, task, task.spec_type.from_json(sealed.contents["spec"]))

    def predict(self, raw: Iterable[np.ndarray]) -> Any:
        """Predictions for raw inputs, in batches of 64.

        Args:
            raw: Inputs as the task loads them, of any number.

        Raises:
            UserError: There are none, or one of them is not of the kind the model was trained on.
        """
        outputs, waiting = [], []
        for one in raw:
            waiting.append(self.task.prepare_input(one, self.spec))
            if len(waiting) == BATCH:
                outputs.append(outputs_of(self.model, np.stack(waiting)))
                waiting.clear()
        if waiting:
            outputs.append(outputs_of(self.model, np.stack(waiting)))
        if not outputs:
            raise UserError("Predictor.predict", "no inputs", "at least one", "Pass a list of inputs.")
        return self.task.decode(np.concatenate(outputs), self.spec)
