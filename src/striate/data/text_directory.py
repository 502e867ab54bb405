"""`text_dataset_from_directory`: a folder of class folders with texts as a `Dataset`, as Keras reads it."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from striate.data.labelled_files import FileKind, Wanted
from striate.foundation.checks import UnsupportedError, UserError, check_int
from striate.foundation.explain import explaining

_KIND = FileKind("text_dataset_from_directory", "text", (".txt",))


@explaining
def text_dataset_from_directory(
    directory: str | os.PathLike[str],
    labels: str | Sequence[int] | None = "inferred",
    label_mode: str | None = "int",
    class_names: Sequence[str] | None = None,
    batch_size: int | None = 32,
    max_length: int | None = None,
    shuffle: bool = True,
    seed: int | None = None,
    validation_split: float | None = None,
    subset: str | None = None,
    follow_links: bool = False,
    format: str = "tf",
    verbose: bool = True,
) -> Any:
    """Read texts (.txt, UTF-8) from a folder, batch by batch.

    Args:
        directory, labels, label_mode, class_names: As for `image_dataset_from_directory`.
        batch_size: Texts in a batch; None yields them one by one.
        max_length: Longer texts are cut to so many bytes, as Keras cuts them; a letter cut in two is dropped.
        shuffle, seed, validation_split, subset, follow_links, verbose: As for `image_dataset_from_directory`.
        format: "tf", whatever reads like tf.data.

    Returns:
        A `Dataset` of lists of texts, or of (texts, labels); it has `class_names` and `file_paths`. With
        subset="both" a list of two.

    Raises:
        UserError: An argument is out of range or unsupported, there are no texts, or (while reading) one is no UTF-8.
    """
    if format != "tf":
        needs = "'tf': striate does not support other values of this Keras argument"
        raise UnsupportedError(_KIND.where, f"format={format!r}", needs, "Leave format out.")
    if max_length is not None:
        check_int(_KIND.where, "max_length", max_length)

    def load(path: str) -> str:
        return _read(path, max_length)

    chosen = labels, label_mode, class_names, batch_size, shuffle, seed, validation_split, subset, follow_links, verbose
    return Wanted(_KIND, *chosen).datasets(directory, load)


def _read(path: str, max_length: int | None) -> str:
    if not Path(path).is_file():  # a link to nowhere; a pipe would keep us waiting
        raise UserError(f"Reading {path!r}", "no such file", "a text", "Take it out of the folder.")
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        fix = "Check its permissions, or take it out of the folder."
        raise UserError(f"Reading {path!r}", str(error.strerror), "a text it may read", fix) from error
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        needs = "text in UTF-8"
        raise UserError(f"Reading {path!r}", f"bytes that are no UTF-8 ({error})", needs, "Convert the file.") from None
    return content[:max_length].decode("utf-8", "ignore")
