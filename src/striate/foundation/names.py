"""Names for layers that were given none: conv2d, conv2d_1, ..."""

import itertools
import re
from collections import Counter
from collections.abc import Iterable

_used: Counter[str] = Counter()


def snake_case(name: str) -> str:
    """A class name as Keras writes it in layer names.

    Example:
        >>> [snake_case(name) for name in ("Conv2D", "MaxPooling2D", "GlobalAveragePooling2D", "ReLU")]
        ['conv2d', 'max_pooling2d', 'global_average_pooling2d', 're_lu']
    """
    name = re.sub(r"\W+", "", name)
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def unique_name(prefix: str) -> str:
    """`prefix` the first time, then `prefix_1`, `prefix_2`, ...

    Example:
        >>> unique_name("example"), unique_name("example")
        ('example', 'example_1')
    """
    _used[prefix] += 1
    count = _used[prefix]
    return prefix if count == 1 else f"{prefix}_{count - 1}"


def numbered(names: Iterable[str]) -> list[str]:
    """The names, with a number behind each that is there already.

    Example:
        >>> numbered(["age", "sex", "age", "age"])
        ['age', 'sex', 'age_1', 'age_2']
    """
    found: dict[str, None] = {}
    for name in names:
        free = (f"{name}_{number}" if number else name for number in itertools.count())
        found[next(candidate for candidate in free if candidate not in found)] = None
    return list(found)


def clear_names() -> None:
    """Start counting names anew, as after `clear_session()`."""
    _used.clear()
