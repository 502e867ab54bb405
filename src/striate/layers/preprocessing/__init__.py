"""Layers that prepare raw input or change it at random, so that preparation travels with the model."""

from striate.layers.preprocessing.colour import RandomBrightness, RandomContrast
from striate.layers.preprocessing.geometry import RandomFlip, RandomRotation, RandomTranslation, RandomZoom
from striate.layers.preprocessing.normalization import Normalization
from striate.layers.preprocessing.rescaling import Rescaling
from striate.layers.preprocessing.size import CenterCrop, RandomCrop, Resizing
from striate.layers.preprocessing.text import TextVectorization

__all__ = [
    "CenterCrop",
    "Normalization",
    "RandomBrightness",
    "RandomContrast",
    "RandomCrop",
    "RandomFlip",
    "RandomRotation",
    "RandomTranslation",
    "RandomZoom",
    "Rescaling",
    "Resizing",
    "TextVectorization",
]
