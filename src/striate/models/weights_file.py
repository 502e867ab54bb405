"""Reading Keras's weight files (HDF5) that nobody vouches for: every name, shape and size is checked first."""

import contextlib
import math
from collections.abc import Collection, Iterator
from typing import IO, Any

import numpy as np
import torch

from striate.foundation.checks import UserError
from striate.foundation.shapes import describe
from striate.models.layout import Group

# What training leaves beside the weights, in this and older versions of Keras, and chance keeps for itself.
TRAINING = ("optimizer", "metrics", "loss")
CHANCE = "seed_generator"
MAX_OBJECTS, MAX_DEPTH = 100_000, 64
# HDF5's own filters: gzip, shuffle, checksum. Others would be loaded as plugins.
FILTERS = (1, 2, 3)
MAX_RATIO = 100
FIX_OTHER = "Load a file of the same model."

# A weight's group, its name, the weight, and its array in the file.
Place = tuple[Group, str, torch.Tensor, Any]


class WeightsFile:
    """An open weight file; a context manager.

    No attribute is ever read: HDF5 crashes or hangs on damaged ones.

    Args:
        file: Open for reading, in binary mode.
        where: How errors name it.

    Raises:
        UserError: It is no HDF5 file, or a damaged one.
    """

    def __init__(self, file: IO[bytes], where: str) -> None:
        import h5py  # noqa: PLC0415 - keeps `import striate` quick

        self.where, self._h5 = where, h5py
        self.size = file.seek(0, 2)
        self._deepest, self._seen = MAX_DEPTH, 0
        self._found: dict[str, dict[str, dict[str, Any]]] = {}
        with self._errors():
            self._file = h5py.File(file, "r")

    def __enter__(self) -> "WeightsFile":
        return self

    def __exit__(self, *error: object) -> None:
        with contextlib.suppress(Exception):  # a damaged file may refuse to be closed
            self._file.close()

    def check(self, groups: list[Group]) -> None:
        """Refuse a file whose weights are not exactly those of a model.

        Only shapes and dtypes of the tensors in `groups` are looked at; they may be on torch's meta device.

        Raises:
            UserError: A weight is missing, of another shape or kind, or one too many; or the file holds links,
                parts of other files, or less than it declares.
        """
        self._deepest = max(MAX_DEPTH, *(_path(group).count("/") + 1 for group in groups))
        with self._errors():
            stored = sum(self._check_dataset(*place) for place in self._places(groups))
            if stored > self.size:
                raise self._refuse(f"arrays of {stored:,} bytes in {self.size:,}", "arrays that are in the file")
            self._check_extra(groups)

    def read(self, groups: list[Group]) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Pairs of a tensor of `groups` and the values for it, which are in memory one at a time.

        Call `check` first.

        Raises:
            UserError: The file is damaged.
        """
        with self._errors():
            places = self._places(groups)
        for _, _, tensor, dataset in places:
            with self._errors():
                values = dataset[()]
            yield tensor, _as_tensor(np.asarray(values))

    def count(self, group: Group) -> int:
        """How many weights the file has for a group."""
        with self._errors():
            return len(self._members(group))

    def arrays(self) -> dict[str, dict[str, Any]]:
        """Every dataset of the file, by group and name."""
        found: dict[str, dict[str, Any]] = {}
        with self._errors():
            for top in self._names(self._file["/"]):
                for path, members in self._arrays(top).items():
                    found.setdefault(path, {}).update(members)
        return found

    def _places(self, groups: list[Group]) -> list[Place]:
        """Every weight of `groups` with its array in the file."""
        places: list[Place] = []
        for group in groups:
            found = self._members(group)
            if len(found) != len(group.weights):
                raise self._other_model(group, several(found), several(group.weights))
            for index, (label, tensor) in enumerate(group.weights.items()):
                places.append((group, label, tensor, self._array(group, label, found.get(group.key(index)), index)))
        return places

    def _members(self, group: Group) -> dict[str, Any]:
        """The datasets of a group by name; none where the file has no such group."""
        path = _path(group)
        arrays = self._arrays(path.split("/")[0])
        place, _, name = path.rpartition("/")
        while place:
            if name in arrays.get(place, {}):
                raise self._refuse(f"an array in the place of {path!r}", "a group")
            place, _, name = place.rpartition("/")
        return arrays.get(path, {})

    def _arrays(self, top: str) -> dict[str, dict[str, Any]]:
        """The datasets under a name of the root, by group and name; looked through once."""
        if top in self._found or top not in self._file:
            return self._found.get(top, {})
        found: dict[str, dict[str, Any]] = {}
        waiting = [(self._child(self._file, top), top, 1)]
        while waiting:
            place, path, depth = waiting.pop()
            if not isinstance(place, self._h5.Group):
                found.setdefault(path.rpartition("/")[0], {})[path.rpartition("/")[2]] = place
                continue
            names = self._names(place)
            self._seen += len(names)
            if depth > self._deepest or self._seen > MAX_OBJECTS:
                got = f"groups nested {depth} deep with {self._seen:,} objects"
                raise self._refuse(got, "a file as Keras writes it")
            inner = [(self._child(place, name), f"{path}/{name}", depth + 1) for name in names if name != CHANCE]
            waiting += reversed(inner)
        self._found[top] = found
        return found

    def _names(self, group: Any) -> list[str]:
        if len(group) > MAX_OBJECTS:
            raise self._refuse(f"{len(group):,} objects in {group.name!r}", f"at most {MAX_OBJECTS:,}")
        return list(group)

    def _child(self, group: Any, name: str) -> Any:
        link = group.get(name, getlink=True)
        if not isinstance(link, self._h5.HardLink):
            raise self._refuse(f"a link {name!r} ({type(link).__name__}) to elsewhere", "the arrays themselves")
        return group[name]

    def _array(self, group: Group, label: str, found: Any, index: int) -> Any:
        if not isinstance(found, self._h5.Dataset):
            raise self._other_model(group, f"no array {index} ({label!r})", "one for every weight")
        return found

    def _check_dataset(self, group: Group, label: str, tensor: torch.Tensor, dataset: Any) -> int:
        """Refuse an array that is not what a weight needs; return how many bytes of the file it takes."""
        shape, kind = dataset.shape, dataset.dtype
        if shape is None or tuple(shape) != tuple(tensor.shape):
            raise self._other_model(group, f"{label!r} of shape {shape}", describe(tensor.shape))
        kinds = "fV" if tensor.is_floating_point() else "b" if tensor.dtype == torch.bool else "iu"
        if kind.kind not in kinds or kind.fields or (kind.kind == "V" and kind.itemsize != 2) or kind.itemsize > 8:
            raise self._other_model(group, f"{label!r} of dtype {kind}", f"{tensor.dtype}")
        if dataset.is_virtual or dataset.external:
            raise self._refuse(f"{label!r} of {group.where} kept in another file", "the arrays themselves")
        properties = dataset.id.get_create_plist()
        filters = [properties.get_filter(index)[0] for index in range(properties.get_nfilters())]
        if any(code not in FILTERS for code in filters):
            raise self._refuse(f"{label!r} of {group.where} with HDF5 filters {filters}", "plain or gzip arrays")
        stored, declared = dataset.id.get_storage_size(), math.prod(shape) * kind.itemsize
        if declared > stored * (MAX_RATIO if filters else 1):
            got = f"{label!r} of {group.where} with {stored:,} of its {declared:,} bytes"
            raise self._refuse(got, "arrays that are whole")
        return stored

    def _check_extra(self, groups: list[Group]) -> None:
        """Refuse weights that the model has no place for."""
        expected = {f"{_path(group)}/{name}" for group in groups for name in self._members(group)}
        for top in self._names(self._file["/"]):
            if top in (*TRAINING, CHANCE) or top.startswith("_"):
                continue
            for path, arrays in self._arrays(top).items():
                for name in arrays:
                    inner = f"{path}/{name}" if path else name
                    if inner not in expected:
                        raise self._refuse_other(f"an array {inner!r}", "only weights that the model has")

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        """HDF5's errors, of many kinds, as one."""
        try:
            yield
        except UserError:
            raise
        except Exception as error:
            text = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise self._refuse(f"no whole HDF5 file ({text[:200]})", "a whole weight file") from error

    def _refuse(self, got: str, needs: str) -> UserError:
        return UserError(self.where, got, needs, "Save or fetch the file again; nothing was loaded.")

    def _refuse_other(self, got: str, needs: str) -> UserError:
        return UserError(self.where, got, needs, FIX_OTHER)

    def _other_model(self, group: Group, got: str, needs: str) -> UserError:
        return UserError(f"{self.where}: {group.where}", got, needs, FIX_OTHER)


def _path(group: Group) -> str:
    return f"{group.path}/vars" if group.path else "vars"


def several(names: Collection[str]) -> str:
    """How many weights, and their names if they are few."""
    count = len(names)
    return f"{count} weight{'' if count == 1 else 's'}" + (f" ({', '.join(names)})" if 0 < count <= 10 else "")


def _as_tensor(values: np.ndarray) -> torch.Tensor:
    if values.dtype.kind == "V":  # bfloat16, as opaque bytes
        return torch.from_numpy(np.array(values).view(np.int16)).view(torch.bfloat16)
    native = values.astype(values.dtype.newbyteorder("="), copy=False)
    return torch.from_numpy(native if native.flags.writeable else native.copy())
