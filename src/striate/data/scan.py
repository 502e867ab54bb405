"""One pass over all files of a data set: facts of each picture, or what is wrong with it."""

import contextlib
import os
from collections.abc import Callable, Generator
from dataclasses import dataclass

from striate.data.facts import Facts, Problem, look
from striate.data.samples import PictureFiles, SampleSet, check_classes_left
from striate.data.threads import side_by_side
from striate.data.workers import LIMIT, look_in_processes

FEW = 200
"""Below so many files threads look at them: starting processes would take longer than the looking."""


@dataclass(frozen=True)
class Scan:
    """What was found.

    Attributes:
        samples: Those that can be read; their `quarantined` names the others.
        facts: One for each of them.
        problems: Of the others, by source.
    """

    samples: SampleSet
    facts: list[Facts]
    problems: dict[str, Problem]


def scan(samples: SampleSet, progress: Callable[[int, int], None] | None = None, limit: float = LIMIT) -> Scan:
    """Look at every file once.

    Args:
        samples: Samples whose sources are files of pictures; left as they are.
        progress: Called with how many of how many have been looked at.
        limit: Seconds that one file may take (in a process; a thread cannot be ended).

    Raises:
        UserError: A class has no sample left that can be read.
    """
    kept, facts, problems = [], [], {}
    with contextlib.closing(_look(samples, limit)) as looks:  # Ctrl-C ends the processes at once
        for number, found in enumerate(looks):
            if isinstance(found, Facts):
                kept.append(number)
                facts.append(found)
            else:
                problems[str(samples[number].source)] = found
            if progress is not None:
                progress(number + 1, len(samples))
    sound = samples.subset(kept)
    sound.quarantined = [*samples.quarantined, *((source, problem.reason) for source, problem in problems.items())]
    check_classes_left(samples, sound)
    return Scan(sound, facts, problems)


def can_scan(samples: SampleSet) -> bool:
    """Whether the samples are files of pictures."""
    return isinstance(samples.store, PictureFiles)


def _look(samples: SampleSet, limit: float) -> Generator[Facts | Problem, None, None]:
    paths = (str(sample.source) for sample in samples)
    workers = min(8, os.cpu_count() or 1)
    if len(samples) < FEW:
        yield from side_by_side(look, paths, workers)
    else:
        yield from look_in_processes(paths, workers, limit)
