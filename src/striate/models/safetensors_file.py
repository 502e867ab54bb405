"""Weights alone as safetensors, keyed by the names of `state_dict()`."""

from pathlib import Path
from typing import Any

import torch

from striate.foundation.checks import UserError
from striate.foundation.shapes import describe

FIX = "Load a file of the same model."


def write_safetensors(path: Path, module: torch.nn.Module) -> None:
    """Write the weights of any torch module; shared ones once, under the first of their names.

    Raises:
        OSError: The file cannot be written.
    """
    from safetensors import SafetensorError  # noqa: PLC0415 - keeps `import striate` quick
    from safetensors.torch import save_file  # noqa: PLC0415

    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in _own_weights(module).items()}
    try:
        save_file(tensors, path, {"format": "pt"})
    except SafetensorError as error:  # a full disk comes as one of these
        raise OSError(str(error)) from error


def read_safetensors(path: Path, module: torch.nn.Module) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Pairs of a module's tensors and the values a file has for them.

    Raises:
        UserError: The file is damaged, or its names, shapes or dtypes are not the module's.
    """
    from safetensors import SafetensorError, safe_open  # noqa: PLC0415 - keeps `import striate` quick

    where, own = f"Weights file {str(path)!r}", _own_weights(module)
    try:
        with safe_open(path, "pt") as file:
            _check_names(where, list(own), list(file.keys()))
            for name, tensor in own.items():
                shape = tuple(file.get_slice(name).get_shape())
                if shape != tuple(tensor.shape):
                    raise UserError(where, f"{name!r} of shape {describe(shape)}", describe(tensor.shape), FIX)
            values = {name: file.get_tensor(name) for name in own}
    except UserError:
        raise
    except (SafetensorError, OSError, ValueError, TypeError, RuntimeError) as error:
        got = f"no whole safetensors file ({str(error)[:200]})"
        raise UserError(where, got, "a whole one", "Save or fetch it again; nothing was loaded.") from error
    for name, tensor in own.items():
        if _kind(values[name]) != _kind(tensor):
            raise UserError(where, f"{name!r} of dtype {values[name].dtype}", str(tensor.dtype), FIX)
    return [(tensor, values[name]) for name, tensor in own.items()]


def _own_weights(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    first: dict[int, str] = {}
    weights: dict[str, Any] = module.state_dict(keep_vars=True)
    return {name: tensor for name, tensor in weights.items() if first.setdefault(id(tensor), name) == name}


def _check_names(where: str, own: list[str], found: list[str]) -> None:
    missing = [name for name in own if name not in set(found)]
    extra = [name for name in found if name not in set(own)]
    if missing or extra:
        got = f"no weight {missing[0]!r}" if missing else f"a weight {extra[0]!r}"
        raise UserError(where, got, f"the model's {len(own)} weights and no others", FIX)


def _kind(tensor: torch.Tensor) -> str:
    return "float" if tensor.is_floating_point() else "bool" if tensor.dtype == torch.bool else "whole"
