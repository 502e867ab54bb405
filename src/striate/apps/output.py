"""Where a command speaks: to people in words, to programs in one JSON object."""

import contextlib
import json
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


class Output:
    """What a command says and returns; a context.

    Args:
        as_json: Standard output gets one JSON object; all words go to standard error.
        quiet: Only results and errors.
    """

    def __init__(self, as_json: bool = False, quiet: bool = False) -> None:
        self.as_json, self.quiet = as_json, quiet
        self._stdout = sys.stdout
        self.console = Console(file=sys.stderr if as_json else sys.stdout, highlight=False, soft_wrap=True)
        self._redirect = contextlib.ExitStack()

    def __enter__(self) -> "Output":
        if self.as_json:  # whatever anybody prints meanwhile
            self._redirect.enter_context(contextlib.redirect_stdout(sys.stderr))
        return self

    def __exit__(self, *error: object) -> None:
        self._redirect.close()

    def say(self, text: str = "", style: str | None = None) -> None:
        """A line about what happens; nothing with --quiet."""
        if not self.quiet:
            self.tell(text, style)

    def tell(self, text: str = "", style: str | None = None) -> None:
        """A line that belongs to the result."""
        self.console.print(text, style=style, markup=False)

    def complain(self, text: str) -> None:
        """A line about what went wrong, on standard error."""
        print(text, file=sys.stderr, flush=True)

    def facts(self, facts: dict[str, Any]) -> None:
        """Lines of a name and what it holds, in two columns."""
        width = max(map(len, facts), default=0)
        for name, value in facts.items():
            self.say(f"{name:<{width}}  {value}")

    @contextlib.contextmanager
    def progress(self, title: str) -> Iterator[Callable[[int, int], None]]:
        """A bar for something that takes a while; shown in terminals only, and gone afterwards.

        Yields:
            What to call with how many of how many are done.
        """
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        hidden = self.quiet or not self.console.is_terminal
        with Progress(*columns, console=self.console, transient=True, disable=hidden) as bar:
            task = bar.add_task(title, total=None)
            yield lambda done, total: bar.update(task, completed=done, total=total)

    def next(self, commands: Sequence[str]) -> None:
        """The commands that may follow, the last lines of every command."""
        if not self.as_json:
            self.tell("Next:" if len(commands) > 1 else "Next: " + commands[0], "bold")
            for command in commands if len(commands) > 1 else ():
                self.tell(f"  {command}", "bold")

    def result(self, value: dict[str, Any]) -> None:
        """The JSON object, with --json."""
        if self.as_json:
            print(json.dumps(value, ensure_ascii=False), file=self._stdout, flush=True)


def command_line(*words: object) -> str:
    """A command as it is typed.

    Example:
        >>> command_line("striate", "train", "my pictures")
        "striate train 'my pictures'"
    """
    return shlex.join(map(str, words))
