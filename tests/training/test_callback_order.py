import pytest

from striate.callbacks import BackupAndRestore, Callback, EarlyStopping, History, ProgressBar
from striate.foundation.checks import UserError
from striate.training.callback_order import order_callbacks


def kinds(*given):
    return [type(callback).__name__ for callback in order_callbacks(list(given), 0)[0]]


def test_what_fit_adds_comes_after_and_a_backup_last(tmp_path):
    backup = BackupAndRestore(tmp_path)
    assert kinds(backup, EarlyStopping()) == ["EarlyStopping", "ProgressBar", "History", "BackupAndRestore"]
    assert order_callbacks([backup], 0)[1] is backup
    assert kinds(History(), ProgressBar(0), Callback()) == ["History", "ProgressBar", "Callback"]
    assert order_callbacks(None, 0)[1] is None


def test_two_backups_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"fit got 2 BackupAndRestore callbacks; it needs at most one\. Keep one of"):
        order_callbacks([BackupAndRestore(tmp_path)] * 2, 0)
