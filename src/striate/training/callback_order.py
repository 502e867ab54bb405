"""In which order the callbacks of a training are told."""

from typing import Any

from striate.foundation.checks import UserError
from striate.training.backup import BackupAndRestore
from striate.training.callback import Callback, CallbackList, History
from striate.training.progress import ProgressBar


def order_callbacks(callbacks: Any, verbose: Any) -> tuple[list[Callback], BackupAndRestore | None]:
    """The callbacks of `fit`, with what it adds itself, and the backup among them.

    The progress bar and the history come after the user's, which may add to the logs; a backup comes last, when all
    the others have made up their minds.

    Raises:
        UserError: One of them is no callback, or there are several backups.
    """
    given = CallbackList(callbacks).callbacks
    backups = [callback for callback in given if isinstance(callback, BackupAndRestore)]
    listed = [callback for callback in given if not isinstance(callback, BackupAndRestore)]
    if len(backups) > 1:
        raise UserError("fit", f"{len(backups)} BackupAndRestore callbacks", "at most one", "Keep one of them.")
    for kind, added in ((ProgressBar, ProgressBar(verbose)), (History, History())):
        if not any(isinstance(callback, kind) for callback in listed):
            listed.append(added)
    return [*listed, *backups], backups[0] if backups else None
