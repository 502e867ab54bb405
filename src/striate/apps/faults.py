"""Whatever goes wrong in a command, as a sentence and an exit code."""

import os
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path

from striate.apps.output import Output
from striate.apps.signals import terminable
from striate.foundation.checks import UserError

FAULT, BAD_INPUT, INTERRUPTED = 1, 2, 130


def guarded(work: Callable[[], int | None], output: Output) -> int:
    """Run `work` and return the exit code.

    Returns:
        0, or what `work` returned; 1 for a fault of ours, whose traceback goes into a log; 2 for what the user
        can mend; 130 for an interruption.
    """
    try:
        with output, terminable():
            return work() or 0
    except UserError as error:
        output.complain(str(error))
        output.result({"error": str(error)})
        return BAD_INPUT
    except KeyboardInterrupt as error:  # Interrupted, with a command to go on, among them
        resume = getattr(error, "resume", None)
        output.complain("Stopped." + (" The state is kept; go on with:" if resume else ""))
        if resume:
            output.complain(f"  {resume}")
        output.result({"error": "interrupted", "resume": resume})
        return INTERRUPTED
    except BrokenPipeError:  # the reader, `head` for example, has seen enough
        close_output()
        return 0
    except Exception as error:
        log = _log()
        output.complain(f"A fault in striate itself: {type(error).__name__}: {error}")
        output.complain(f"Details are in {log}; please report it with that file.")
        output.result({"error": f"{type(error).__name__}: {error}", "log": str(log)})
        return FAULT


def close_output() -> None:
    """Let nothing more be written to a standard output that nobody reads: Python would complain at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _log() -> Path:
    """Write the traceback at hand into a file."""
    descriptor, name = tempfile.mkstemp(prefix="striate-", suffix=".log")
    os.close(descriptor)
    path = Path(name)
    path.write_text(" ".join(sys.argv) + "\n" + traceback.format_exc(), encoding="utf-8")
    return path
