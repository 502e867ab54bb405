"""Checkpoints: everything a killed training needs to end with the weights it would have had."""

import hashlib
import json
import os
import random
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from striate.foundation.checks import UserError
from striate.foundation.files import atomic_path
from striate.training.loop import device_of

FORMAT = "striate-checkpoint-1"


@dataclass
class Progress:
    """Where training stands.

    Args:
        epoch: Epochs done.
        step: Batches done of the epoch under way.
        seed: From which the order of the data follows.
        batches: Batches in an epoch, where known.
        stopped: Whether a callback has ended training.
    """

    epoch: int = 0
    step: int = 0
    seed: int = 0
    batches: int | None = None
    stopped: bool = False


@dataclass
class Checkpoint:
    """What was read from a checkpoint file: verified, not yet applied."""

    path: Path
    progress: Progress
    tensors: dict[str, torch.Tensor]
    weights: list[str]
    kind: str
    optimizer: Any
    keepers: dict[str, Any]
    chance: dict[str, Any]

    def apply(self, module: torch.nn.Module, optimizer: Any) -> None:
        """Put weights, optimizer and random generators back.

        Weights are told apart by their order and shape: names count up when a network is built again.

        Raises:
            UserError: The checkpoint is another network's, or another optimizer's; nothing is changed.
        """
        own = module.state_dict()
        weights = [self.tensors[f"model.{name}"] for name in self.weights]
        if [weight.shape for weight in own.values()] != [weight.shape for weight in weights]:
            raise self._refuse("weights of other shapes", f"those of this {type(module).__name__}")
        if self.kind != type(optimizer).__name__:
            raise self._refuse(f"the state of {self.kind}", f"that of {type(optimizer).__name__}")
        optimizer.load_state_dict(_unpack(self.optimizer, self.tensors))
        module.load_state_dict(dict(zip(own, weights, strict=True)))
        _restore_chance(self.chance, self.tensors)
        for place, inner in _own_generators(module):
            if f"chance.module.{place}" in self.tensors:
                inner.restore_chance(self.tensors[f"chance.module.{place}"], device_of(module))

    def check_batches(self, batches: int | None) -> None:
        """Refuse to go on in the middle of an epoch that has another number of batches now.

        Raises:
            UserError: Data or batch size have changed.
        """
        if self.progress.step and self.progress.batches != batches:
            raise self._refuse(f"an epoch of {self.progress.batches} batches begun", f"one of {batches}")

    def _refuse(self, got: str, needs: str) -> UserError:
        fix = "Train as before, delete it, or choose another folder."
        return UserError(f"Checkpoint {str(self.path)!r}", got, needs, fix)


def save_checkpoint(
    path: str | os.PathLike[str],
    module: torch.nn.Module,
    optimizer: Any,
    progress: Progress,
    keepers: dict[str, Any] | None = None,
) -> None:
    """Write a checkpoint: to a temporary name, synced, renamed, with a checksum inside.

    Args:
        path: Where to; ends in .safetensors.
        module: Whose weights and statistics are kept.
        optimizer: With a torch-like `state_dict`.
        progress: Epoch, step and order of the data.
        keepers: What callbacks and metrics want to find again, by name.

    Raises:
        UserError: It cannot be written; the one that was there is whole.
    """
    from safetensors.torch import save_file  # noqa: PLC0415 - keeps `import striate` quick

    tensors = {f"model.{name}": value for name, value in module.state_dict().items()}
    for place, inner in _own_generators(module):
        if (state := inner.chance_state()) is not None:
            tensors[f"chance.module.{place}"] = state
    described = {
        "progress": asdict(progress),
        "weights": list(module.state_dict()),
        "kind": type(optimizer).__name__,
        "optimizer": _pack("optimizer", optimizer.state_dict(), tensors),
        "keepers": _pack("keepers", keepers or {}, tensors),
        "chance": _save_chance(tensors),
    }
    # Contiguous clones: safetensors refuses views and shared memory.
    plain = {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}
    text = json.dumps(described)
    with atomic_path(path) as temporary:
        save_file(plain, temporary, {"format": FORMAT, "state": text, "sha256": _digest(plain, text)})


def read_checkpoint(path: str | os.PathLike[str]) -> Checkpoint:
    """Read and verify a checkpoint; nothing is changed yet.

    Raises:
        UserError: It is damaged, or no checkpoint.
    """
    from safetensors import SafetensorError, safe_open  # noqa: PLC0415 - keeps `import striate` quick

    where = f"Checkpoint {str(path)!r}"
    fix = "Delete it to begin anew."
    try:
        with safe_open(path, "pt") as opened:
            about = opened.metadata() or {}
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 - no iterator
    except (OSError, SafetensorError) as error:
        raise UserError(where, str(error).splitlines()[0], "a whole checkpoint file", fix) from None
    if about.get("format") != FORMAT or about.get("sha256") != _digest(tensors, about.get("state", "")):
        raise UserError(where, "contents that do not match their checksum", "a whole checkpoint file", fix)
    state = json.loads(about["state"])
    return Checkpoint(
        Path(path),
        Progress(**state["progress"]),
        tensors,
        state["weights"],
        state["kind"],
        state["optimizer"],
        _unpack(state["keepers"], tensors),
        state["chance"],
    )


def _digest(tensors: dict[str, torch.Tensor], text: str) -> str:
    digest = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(tensors[name].reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _pack(prefix: str, value: Any, tensors: dict[str, torch.Tensor]) -> Any:
    """A nested state as JSON, its tensors moved to `tensors`."""
    if isinstance(value, torch.Tensor | np.ndarray):
        tensors[prefix] = torch.as_tensor(value)
        return {"tensor": prefix}
    if isinstance(value, dict):
        items = [[key, _pack(f"{prefix}.{key}", item, tensors)] for key, item in value.items()]
        return {"items": items}
    if isinstance(value, list | tuple):
        return {"list": [_pack(f"{prefix}.{index}", item, tensors) for index, item in enumerate(value)]}
    return value


def _unpack(value: Any, tensors: dict[str, torch.Tensor]) -> Any:
    if not isinstance(value, dict):
        return value
    if "tensor" in value:
        return tensors[value["tensor"]]
    if "items" in value:
        return {key: _unpack(item, tensors) for key, item in value["items"]}
    return [_unpack(item, tensors) for item in value["list"]]


def _own_generators(module: torch.nn.Module) -> list[tuple[int, Any]]:
    """The layers that draw from a generator of their own, by place."""
    return [(place, inner) for place, inner in enumerate(module.modules()) if hasattr(inner, "chance_state")]


def _save_chance(tensors: dict[str, torch.Tensor]) -> dict[str, Any]:
    """The state of every global random generator."""
    tensors["chance.torch"] = torch.get_rng_state()
    for index, state in enumerate(torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []):
        tensors[f"chance.cuda.{index}"] = state
    kind, keys, *rest = np.random.get_state()
    tensors["chance.numpy"] = torch.from_numpy(np.asarray(keys).astype(np.int64))
    version, inner, gauss = random.getstate()
    return {"numpy": [kind, *rest], "python": [version, list(inner), gauss]}


def _restore_chance(chance: dict[str, Any], tensors: dict[str, torch.Tensor]) -> None:
    torch.set_rng_state(tensors["chance.torch"])
    cuda = [tensors[name] for name in sorted(tensors) if name.startswith("chance.cuda.")]
    if cuda and torch.cuda.is_available():
        torch.cuda.set_rng_state_all(cuda[: torch.cuda.device_count()])
    kind, *rest = chance["numpy"]
    np.random.set_state((kind, tensors["chance.numpy"].numpy().astype(np.uint32), *rest))
    version, inner, gauss = chance["python"]
    random.setstate((version, tuple(inner), gauss))
