"""Lists of pictures: a table with a line for each: its file, its label and, where there are some, group and split."""

import csv
from collections.abc import Mapping
from pathlib import Path

from striate.data.class_folders import SPLIT_FOLDERS, common_mode
from striate.data.samples import PictureFiles, Sample, SampleSet
from striate.foundation.checks import UserError

SUFFIXES = (".csv", ".tsv")
DELIMITERS = ",;\t"
# What columns are called; the first name is ours, the others are taken for it.
NAMES = {
    "path": ("path", "file", "filename", "file_name", "filepath", "image", "picture"),
    "label": ("label", "class", "target", "category"),
    "group": ("group", "patient", "person", "subject", "recording"),
    "split": ("split", "set", "subset", "part"),
}
SEVERAL = "|"  # between the labels of one picture
FIX = "Write a line for each picture under the head path,label,group,split; the last two may be left out."


def read_manifest(path: Path, mode: str | None = None) -> SampleSet:
    """Read a list of pictures.

    Args:
        path: A .csv or .tsv file, in UTF-8; files are named relative to its folder, and lie in it or below.
        mode: "L", "RGB" or "RGBA"; None reads grey where every picture is grey, else colour.

    Returns:
        The samples, in the order of the lines; pictures are not decoded yet.

    Raises:
        UserError: Columns or labels are missing, a file is, or lies elsewhere, or stands twice; names the line.
    """
    where = f"Reading {str(path)!r}"
    rows = _rows(path, where)
    labels = sorted({row["label"] for _, row in rows})
    if len(labels) < 2:
        raise UserError(where, f"only the label {labels[0]!r}", "at least two labels", "Add pictures of another one.")
    numbers = {label: number for number, label in enumerate(labels)}
    folder, seen = path.resolve().parent, dict[Path, int]()
    samples = []
    for line, row in rows:
        file = _file(folder, row["path"], f"{where}, line {line}")
        if (before := seen.setdefault(file, line)) != line:
            got = f"{row['path']!r}, which stands in line {before} already"
            raise UserError(f"{where}, line {line}", got, "each picture once", "Take one of the lines out.")
        split = _split(row.get("split", ""), f"{where}, line {line}")
        samples.append(Sample(row["path"], numbers[row["label"]], str(file), row.get("group") or None, split))
    store = PictureFiles(mode or common_mode([str(sample.source) for sample in samples]))
    return SampleSet(samples, labels, store, f"a list of pictures with {len(labels)} labels")


def _rows(path: Path, where: str) -> list[tuple[int, dict[str, str]]]:
    """Each line's number and its cells under our names."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            head = file.readline()
            delimiter = max(DELIMITERS, key=head.count)
            file.seek(0)
            reader = csv.reader(file, delimiter=delimiter)
            lines = [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except UnicodeDecodeError as error:
        raise UserError(where, f"bytes that are no UTF-8 ({error.reason})", "a list in UTF-8", "Save it so.") from error
    except (OSError, csv.Error) as error:
        raise UserError(where, f"a list that cannot be read ({error})", "a table", FIX) from error
    if len(lines) < 2:
        raise UserError(where, "no pictures", "a head and a line for each picture", FIX)
    columns = _columns(lines[0][1], where)
    rows = []
    for line, cells in lines[1:]:
        row = {name: cells[place].strip() if place < len(cells) else "" for name, place in columns.items()}
        for name in ("path", "label"):
            if not row[name]:
                raise UserError(f"{where}, line {line}", f"no {name}", "one for each picture", "Fill it in.")
        if SEVERAL in row["label"]:
            got, needs = f"several labels ({row['label']})", "one label for each picture"
            raise UserError(f"{where}, line {line}", got, needs, "Choose one: several cannot be learned yet.")
        rows.append((line, row))
    return rows


def _columns(head: list[str], where: str) -> Mapping[str, int]:
    """Where each of our columns is."""
    words = [word.strip().lower() for word in head]
    found = {
        name: next(place for place, word in enumerate(words) if word in others)
        for name, others in NAMES.items()
        if any(word in others for word in words)
    }
    for name in ("path", "label"):
        if name not in found:
            got = f"the columns {', '.join(head[:8])}"
            raise UserError(where, got, f"one that is called {name}, or {', '.join(NAMES[name][1:])}", FIX)
    return found


def _file(folder: Path, name: str, where: str) -> Path:
    file = (folder / name).resolve()
    if not file.is_relative_to(folder):
        fix = "Put the list above the pictures."
        raise UserError(where, f"{name!r}, outside the folder of the list", "a file in it or below", fix)
    if not file.is_file():
        raise UserError(where, f"no file {name!r}", "a file that is there", "Check the path: it begins at the list.")
    return file


def _split(word: str, where: str) -> str | None:
    if not word:
        return None
    known = SPLIT_FOLDERS.get(word.lower())
    if known is None:
        raise UserError(where, f"the split {word!r}", f"one of {', '.join(SPLIT_FOLDERS)}", "Use one of these.")
    return known
