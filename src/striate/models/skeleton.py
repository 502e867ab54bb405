"""HDF5 files whose structure HDF5 writes, into memory, and whose numbers go to the disk as a plain stream.

HDF5 must not write to a disk that can be full: when a write of its fails, closing the file fails as well, and the
process ends with a segmentation fault later. So the library lays out the file in memory, where only its few
kilobytes of structure are kept, and tells where each array belongs; Python writes the result from front to back.
"""

import io
from collections.abc import Iterator
from typing import IO, Any

import numpy as np
import torch

from striate.models.layout import Group

PAGE = 4096


def write_weights(out: IO[bytes], groups: list[Group]) -> None:
    """Write a weight file in Keras's layout.

    Args:
        out: Written to from front to back; needs no seek.
        groups: What to write, and where.

    Raises:
        OSError: Of `out`; nothing else is touched.
    """
    import h5py  # noqa: PLC0415 - keeps `import striate` quick

    skeleton = Skeleton()
    places: list[tuple[int, torch.Tensor]] = []
    with h5py.File(skeleton, "w") as file:
        for group in groups:
            inside = file.create_group(f"{group.path}/vars")
            if group.name is not None:
                inside.attrs["name"] = group.name
            for index, tensor in enumerate(group.weights.values()):
                place = _reserve(inside, group.key(index), tensor)
                if place is not None:
                    places.append((place, tensor))
    position = 0
    for place, tensor in sorted(places, key=lambda pair: pair[0]):
        out.write(skeleton.between(position, place))
        position = place + out.write(as_bytes(tensor).data)
    out.write(skeleton.between(position, skeleton.size))


def _reserve(group: Any, name: str, tensor: torch.Tensor) -> int | None:
    """Add a dataset.

    Returns:
        Where in the file its bytes are to go; None for a small one, which is in the skeleton already.
    """
    import h5py  # noqa: PLC0415 - keeps `import striate` quick

    dtype = stored_dtype(tensor.dtype)
    if tensor.nbytes < PAGE:
        dataset = group.create_dataset(name, data=as_bytes(tensor).view(dtype).reshape(tuple(tensor.shape)))
    else:
        properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        properties.set_layout(h5py.h5d.CONTIGUOUS)
        properties.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
        properties.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
        dataset = group.create_dataset(name, shape=tuple(tensor.shape), dtype=dtype, dcpl=properties)
    if tensor.dtype == torch.bfloat16:  # as Keras marks it; HDF5 has no such type
        dataset.attrs["dtype"] = "bfloat16"
    return None if tensor.nbytes < PAGE else dataset.id.get_offset()


def stored_dtype(dtype: torch.dtype) -> np.dtype[Any]:
    """The NumPy dtype that stands for a torch dtype in files: two opaque bytes for bfloat16."""
    return np.dtype("V2") if dtype == torch.bfloat16 else torch.empty(0, dtype=dtype).numpy().dtype


def as_bytes(tensor: torch.Tensor) -> np.ndarray:
    """The numbers of a tensor, in the order of its axes, as uint8."""
    return tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()


class Skeleton(io.RawIOBase):
    """A file in memory that keeps only the pages that were written to; everything else reads as zeros."""

    def __init__(self) -> None:
        self.pages: dict[int, bytearray] = {}
        self.size = self.position = 0

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to a place in the file."""
        self.position = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self.position, io.SEEK_END: self.size}[whence]
        return self.position

    def tell(self) -> int:
        """The place in the file."""
        return self.position

    def truncate(self, size: int | None = None) -> int:
        """Set where the file ends."""
        self.size = self.position if size is None else size
        return self.size

    def write(self, data: Any) -> int:
        """Put bytes at the place."""
        source = memoryview(data).cast("B")
        for page, start, end, done in self._pieces(self.position, len(source)):
            self.pages.setdefault(page, bytearray(PAGE))[start:end] = source[done : done + end - start]
        self.position += len(source)
        self.size = max(self.size, self.position)
        return len(source)

    def readinto(self, buffer: Any) -> int:
        """Read bytes from the place; zeros past the end, as HDF5 asks for no others."""
        target = memoryview(buffer).cast("B")
        target[:] = self.between(self.position, self.position + len(target))
        self.position += len(target)
        return len(target)

    def between(self, start: int, end: int) -> bytes:
        """The bytes from `start` up to `end`."""
        found = bytearray(max(end - start, 0))
        for page, first, last, done in self._pieces(start, len(found)):
            if page in self.pages:
                found[done : done + last - first] = self.pages[page][first:last]
        return bytes(found)

    @staticmethod
    def _pieces(start: int, count: int) -> Iterator[tuple[int, int, int, int]]:
        """Cut a range at the pages: page, first and last byte in it, bytes before."""
        done = 0
        while done < count:
            page, first = divmod(start + done, PAGE)
            last = min(PAGE, first + count - done)
            yield page, first, last, done
            done += last - first
