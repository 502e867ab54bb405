"""Callbacks, where Keras has them."""

from striate.foundation.absent import explain_absent
from striate.training.averages import SwapEMAWeights
from striate.training.backup import BackupAndRestore
from striate.training.callbacks import Callback, CallbackList, CSVLogger, EarlyStopping, History, ModelCheckpoint
from striate.training.lambda_callback import LambdaCallback
from striate.training.learning_rates import LearningRateScheduler, ReduceLROnPlateau
from striate.training.progress import ProgressBar
from striate.training.tensorboard import TensorBoard
from striate.training.terminate import TerminateOnNaN

__all__ = [
    "BackupAndRestore",
    "CSVLogger",
    "Callback",
    "CallbackList",
    "EarlyStopping",
    "History",
    "LambdaCallback",
    "LearningRateScheduler",
    "ModelCheckpoint",
    "ProgressBar",
    "ReduceLROnPlateau",
    "SwapEMAWeights",
    "TensorBoard",
    "TerminateOnNaN",
]

explain_absent(__name__)
