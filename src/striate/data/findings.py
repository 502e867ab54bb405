"""What the doctor finds, as records."""

import dataclasses
from dataclasses import dataclass
from typing import Any

SEVERITIES = ("refuse", "quarantine", "warn", "note")
"""From the worst: a lie in the result, a file that is left out, something to look at, something to know."""


@dataclass(frozen=True)
class Finding:
    """One thing that was found.

    Attributes:
        kind: A short name, the same in every version: "copies across splits", "truncated" ...
        severity: One of `SEVERITIES`.
        got: What is there.
        needs: What should be.
        fix: What to do.
        samples: Names of those it is about, those that belong together side by side.
    """

    kind: str
    severity: str
    got: str
    needs: str
    fix: str
    samples: tuple[tuple[str, ...], ...] = ()

    @property
    def count(self) -> int:
        """How many samples, or groups of them, it is about."""
        return len(self.samples)

    def to_json(self) -> dict[str, Any]:
        """The record as plain values."""
        return dataclasses.asdict(self) | {"count": self.count}
