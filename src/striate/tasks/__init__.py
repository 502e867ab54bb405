"""What can be learned: one file per task, all of the same shape."""

import importlib
import pkgutil
from pathlib import Path

from striate.foundation.checks import UserError, nearest
from striate.tasks.task import Options, Ready, Spec, Table, Task

__all__ = [
    "Options",
    "Ready",
    "Spec",
    "Table",
    "Task",
    "all_tasks",
    "demo_task",
    "find_task",
    "named_task",
    "ready_task",
]

DEMO = "classification"


def all_tasks() -> dict[str, Task]:
    """Every task by name: each file of this folder may hold one.

    Example:
        >>> "classification" in all_tasks()
        True
    """
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
    tasks = [kind() for kind in Task.__subclasses__() if kind.__module__.startswith(f"{__name__}.")]
    return {task.name: task for task in sorted(tasks, key=lambda task: task.name)}


def demo_task() -> Task:
    """The task of the demonstration."""
    return named_task(DEMO)


def named_task(name: str) -> Task:
    """The task called `name`.

    Raises:
        UserError: There is none; the nearest is suggested.
    """
    tasks = all_tasks()
    if name not in tasks:
        raise UserError("--task", repr(name), f"one of {', '.join(map(repr, tasks))}", nearest(name, tasks))
    return tasks[name]


def find_task(path: Path, name: str = "auto") -> Task:
    """The task that can learn from what lies at `path`.

    Args:
        path: A file or folder.
        name: A task's name; "auto" asks every task.

    Raises:
        UserError: Nothing is there, or no task, or more than one, recognises it; says what each looked for.
    """
    where, tasks = f"Reading {str(path)!r}", all_tasks()
    if name != "auto" and name not in tasks:
        known = ["auto", *tasks]
        raise UserError("--task", repr(name), f"one of {', '.join(map(repr, known))}", nearest(name, known))
    if not path.exists():
        beside = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
        close = nearest(path.name, beside) if beside else ""
        fix = close if close.startswith("Did") else "Check the path."
        raise UserError(where, "no such file or folder", "a path that exists", fix)
    if name != "auto":
        return tasks[name]
    reasons = {task.name: task.recognises(path) for task in tasks.values()}
    able = [name for name, reason in reasons.items() if reason]
    if len(able) == 1:
        return tasks[able[0]]
    if able:
        seen = "; ".join(f"{name} sees {reasons[name]}" for name in able)
        raise UserError(where, f"data for several tasks ({seen})", "one task", f"Add for example --task {able[0]}.")
    looked = "; or ".join(f"for {task.name} {task.looks_for}" for task in tasks.values())
    kind = "a folder" if path.is_dir() else f"a file of type {path.suffix or 'unknown'}"
    raise UserError(where, f"{kind} that no task recognises", looked, "Pass the path of such data.")


def ready_task() -> tuple[Task, Ready]:
    """The task that has a network which answers without a training of the user's own, and that network.

    Raises:
        UserError: It is not on this machine.
    """
    return next((task, ready) for task in all_tasks().values() if (ready := task.ready()) is not None)
