"""What a network is made of, by Keras's names."""

from striate.layers.activation import Activation, ReLU, Softmax
from striate.layers.conv import Conv2D
from striate.layers.dense import Dense
from striate.layers.input import Input, InputLayer
from striate.layers.layer import Layer
from striate.layers.merge import Add, Concatenate
from striate.layers.normalization import BatchNormalization
from striate.layers.pooling import AveragePooling2D, GlobalAveragePooling2D, GlobalMaxPooling2D, MaxPooling2D
from striate.layers.preprocessing import Rescaling
from striate.layers.regularization import Dropout
from striate.layers.reshape import Flatten, ZeroPadding2D
from striate.layers.wrapper import TorchModule

AvgPool2D, MaxPool2D = AveragePooling2D, MaxPooling2D
GlobalAvgPool2D, GlobalMaxPool2D = GlobalAveragePooling2D, GlobalMaxPooling2D
Convolution2D = Conv2D

__all__ = [
    "Activation",
    "Add",
    "AveragePooling2D",
    "AvgPool2D",
    "BatchNormalization",
    "Concatenate",
    "Conv2D",
    "Convolution2D",
    "Dense",
    "Dropout",
    "Flatten",
    "GlobalAveragePooling2D",
    "GlobalAvgPool2D",
    "GlobalMaxPool2D",
    "GlobalMaxPooling2D",
    "Input",
    "InputLayer",
    "Layer",
    "MaxPool2D",
    "MaxPooling2D",
    "ReLU",
    "Rescaling",
    "Softmax",
    "TorchModule",
    "ZeroPadding2D",
]
