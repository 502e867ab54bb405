"""Reading the world: arrays, datasets, pictures, folders, splits."""

from striate.data.arrays import make_feed, train_validation_split
from striate.data.dataset import AUTOTUNE, Dataset
from striate.data.directory import image_dataset_from_directory
from striate.data.feed import Batch, Feed, check_finite
from striate.data.pictures import decode, resize
from striate.data.readers import mnist_5k, read_classification
from striate.data.samples import Sample, SampleSet, verify
from striate.data.splits import read_split, split, write_split

__all__ = [
    "AUTOTUNE",
    "Batch",
    "Dataset",
    "Feed",
    "Sample",
    "SampleSet",
    "check_finite",
    "decode",
    "image_dataset_from_directory",
    "make_feed",
    "mnist_5k",
    "read_classification",
    "read_split",
    "resize",
    "split",
    "train_validation_split",
    "verify",
    "write_split",
]
