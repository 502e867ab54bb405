"""Layers that go through a sequence step by step, and those wrapped around them."""

from striate.layers.recurrent.bidirectional import Bidirectional
from striate.layers.recurrent.cells import GRUCell, LSTMCell, SimpleRNNCell
from striate.layers.recurrent.named import GRU, LSTM, SimpleRNN
from striate.layers.recurrent.rnn import RNN
from striate.layers.recurrent.stacked import StackedRNNCells
from striate.layers.recurrent.time_distributed import TimeDistributed

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "Bidirectional",
    "GRUCell",
    "LSTMCell",
    "SimpleRNN",
    "SimpleRNNCell",
    "StackedRNNCells",
    "TimeDistributed",
]
