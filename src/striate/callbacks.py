"""Callbacks, where Keras has them."""

from striate.training.backup import BackupAndRestore
from striate.training.callbacks import Callback, CallbackList, CSVLogger, EarlyStopping, History, ModelCheckpoint
from striate.training.progress import ProgressBar

__all__ = [
    "BackupAndRestore",
    "CSVLogger",
    "Callback",
    "CallbackList",
    "EarlyStopping",
    "History",
    "ModelCheckpoint",
    "ProgressBar",
]
