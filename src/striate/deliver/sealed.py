"""Sealed files: a `.keras` zip that real Keras opens, with what it takes to predict and to trust it beside."""

import json
import os
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from striate.foundation.checks import UserError
from striate.foundation.files import atomic_path
from striate.models.archive import Archive
from striate.models.model import Model
from striate.models.saving import load_model, save_model

FORMAT = 1
CONTENTS, GOLDEN = "striate.json", "golden.safetensors"
NEEDED = {"task": str, "spec": dict}
LIMITS = {CONTENTS: 16 * 2**20, GOLDEN: 256 * 2**20}  # bytes once unpacked
TOLERANCE = 1e-4


@dataclass(frozen=True)
class Sealed:
    """What a sealed file holds.

    Args:
        path: The file.
        model: The network.
        contents: What is said of it: "format", "task", "spec", and further entries.
        inputs: A few prepared inputs.
        outputs: What the network made of them when it was sealed.
    """

    path: Path
    model: Model
    contents: dict[str, Any]
    inputs: np.ndarray
    outputs: np.ndarray

    def check(self) -> None:
        """Compute the golden outputs again.

        Raises:
            UserError: They differ by more than 1e-4, absolutely and relatively: float32 computed in another order
                differs by less.
        """
        now = outputs_of(self.model, self.inputs)
        if now.shape != self.outputs.shape or not np.allclose(now, self.outputs, rtol=TOLERANCE, atol=TOLERANCE):
            apart = float(np.abs(now - self.outputs).max()) if now.shape == self.outputs.shape else float("inf")
            needs = f"golden outputs as when it was sealed, to {TOLERANCE}"
            fix = "Do not use this file: copy it again from where it was sealed."
            raise UserError(f"Model {str(self.path)!r}", f"outputs that differ by {apart:.2g}", needs, fix)


def seal(model: Model, path: str | os.PathLike[str], contents: dict[str, Any], inputs: np.ndarray) -> None:
    """Write a model with all that is said of it; the file is whole or as it was.

    Args:
        model: The network.
        path: Ends in .keras.
        contents: JSON-able: "task" (its name), "spec" (its choices as JSON), and what else should be known, such as
            "classes", "metrics", "data" (a digest) and "licence".
        inputs: A few prepared inputs, (N, ...), that loading checks the network with.

    Raises:
        UserError: An entry is missing, or the file cannot be written.
    """
    missing = [name for name in NEEDED if name not in contents]
    if missing:
        raise UserError("seal", f"contents without {missing[0]!r}", " and ".join(NEEDED), f"Add {missing[0]!r}.")
    from safetensors.numpy import save  # noqa: PLC0415 - keeps commands that seal nothing quick

    golden = {"inputs": np.ascontiguousarray(inputs), "outputs": np.ascontiguousarray(outputs_of(model, inputs))}
    if Path(path).suffix != ".keras":
        raise UserError("seal", f"path {str(path)!r}", "a name that ends in .keras", "Add the ending .keras.")
    with atomic_path(path) as temporary:
        plain = temporary.with_suffix(".keras")  # what save_model asks for
        try:
            save_model(model, plain, include_optimizer=False)
            with zipfile.ZipFile(plain, "a", zipfile.ZIP_STORED) as archive:
                archive.writestr(CONTENTS, _text({"format": FORMAT, **contents}))
                archive.writestr(GOLDEN, save(golden))
            plain.replace(temporary)
        finally:
            plain.unlink(missing_ok=True)


def amend(path: str | os.PathLike[str], **facts: Any) -> None:
    """Add to what a sealed file says, such as the scores of a test that came after sealing.

    Raises:
        UserError: It is no sealed file, or cannot be written; it is as it was.
    """
    with Archive(path) as archive:
        text = _text(_contents(archive) | facts)
    with atomic_path(path) as temporary, zipfile.ZipFile(path) as old, zipfile.ZipFile(temporary, "w") as new:
        for entry in old.infolist():
            new.writestr(entry, text if entry.filename == CONTENTS else old.read(entry))


def unseal(path: str | os.PathLike[str]) -> Sealed:
    """Read a sealed file; nothing in it is run or unpickled.

    Raises:
        UserError: It is missing, damaged, no model, or not sealed.
    """
    with Archive(path) as archive:
        for name in (CONTENTS, GOLDEN):
            if name not in archive.names:
                fix = "Pass the model.keras of a run folder; striate.models.load_model reads other .keras files."
                needs = "a sealed file, which says how inputs are prepared"
                raise UserError(archive.where, f"a .keras file without {name}", needs, fix)
        contents, golden = _contents(archive), _golden(archive)
    return Sealed(Path(path), load_model(path), contents, *golden)


def read_contents(path: str | os.PathLike[str]) -> dict[str, Any] | None:
    """What a sealed file says of its model; None for a `.keras` file that is not sealed.

    Raises:
        UserError: It is missing, damaged or no `.keras` file.
    """
    with Archive(path) as archive:
        return _contents(archive) if CONTENTS in archive.names else None


def outputs_of(model: Model, inputs: np.ndarray) -> np.ndarray:
    """What the network makes of prepared inputs, as float32."""
    with torch.no_grad():
        outputs: np.ndarray = model(torch.from_numpy(np.array(inputs)), training=False).float().cpu().numpy()
    return outputs


def _text(contents: dict[str, Any]) -> str:
    return json.dumps(contents, indent=2, ensure_ascii=False)


def _contents(archive: Archive) -> dict[str, Any]:
    contents = archive.read_json(CONTENTS, LIMITS[CONTENTS])
    if contents.get("format") != FORMAT:
        got, needs = f"sealed format {contents.get('format')!r}", f"format {FORMAT}, which this version reads"
        raise UserError(archive.where, got, needs, "Update striate, or train the model again.")
    for name, kind in NEEDED.items():
        if not isinstance(contents.get(name), kind):
            raise archive.damaged(f"{CONTENTS} without {name!r}")
    return contents


def _golden(archive: Archive) -> tuple[np.ndarray, np.ndarray]:
    from safetensors import SafetensorError  # noqa: PLC0415 - keeps commands that read no model quick
    from safetensors.numpy import load  # noqa: PLC0415

    try:
        golden = load(archive.read(GOLDEN, LIMITS[GOLDEN]))
        inputs, outputs = golden["inputs"], golden["outputs"]
    except (SafetensorError, KeyError) as error:
        raise archive.damaged(f"{GOLDEN} that holds no inputs and outputs ({error})") from error
    if not len(inputs):
        raise archive.damaged(f"{GOLDEN} with no input")
    return inputs, outputs
