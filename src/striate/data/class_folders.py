"""Folders whose subfolders are classes, with or without train/ and test/ above them."""

from pathlib import Path

from striate.data.folders import SYSTEM_FILES, picture_files
from striate.data.pictures import header_mode
from striate.data.samples import PictureFiles, Sample, SampleSet
from striate.data.threads import side_by_side, worker_count
from striate.foundation.checks import UserError

SPLIT_FOLDERS = {
    "train": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
}

Quarantine = list[tuple[str, str]]


def read_class_folders(folder: Path, mode: str | None) -> SampleSet | None:
    """Read a folder of class folders, or of train/, test/ and validation/ with class folders in each.

    Args:
        folder: The folder.
        mode: "L", "RGB" or "RGBA"; None reads grey where every picture is grey, else colour.

    Returns:
        The samples, or None where the folder has no subfolder with a picture.

    Raises:
        UserError: Splits disagree about the classes, a class is empty, or there is only one.
    """
    quarantined: Quarantine = []
    folders = _subfolders(folder, quarantined)
    parts = {sub: SPLIT_FOLDERS[sub.name.lower()] for sub in folders if sub.name.lower() in SPLIT_FOLDERS}
    holds_classes = [sub for sub in parts if any(entry.is_dir() for entry in sub.iterdir())]
    if holds_classes:
        _check_parts(folder, folders, parts)
        files = {part: _classes(sub, quarantined) for sub, part in parts.items()}
    else:
        files = {"": _classes(folder, quarantined, known=folders)}
    if not any(paths for classes in files.values() for paths in classes.values()):
        return None
    names = _agreed_classes(folder, files)
    samples = []
    for part, classes in files.items():
        split = part if len(files) > 1 else None  # train/ alone states no split
        for name, paths in classes.items():
            for path in paths:
                sample_id = path.relative_to(folder).as_posix()
                samples.append(Sample(sample_id, names.index(name), str(path), split=split))
    kind = f"{len(names)} class folders"
    origin = kind + (f" in each of {', '.join(sorted(sub.name for sub in parts))}" if holds_classes else "")
    store = PictureFiles(mode or common_mode([str(sample.source) for sample in samples]))
    return SampleSet(samples, names, store, origin, quarantined)


def common_mode(paths: list[str]) -> str:
    """Choose "L" where the header of every readable picture says grey, else "RGB"."""
    modes = set(side_by_side(header_mode, paths, worker_count())) - {None}
    return "L" if modes == {"L"} else "RGB"


def _subfolders(folder: Path, quarantined: Quarantine) -> list[Path]:
    """The folders right below, by name; whatever lies beside them is quarantined."""
    found = []
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith(".") or entry.name.lower() in SYSTEM_FILES:
            quarantined.append((str(entry), "hidden" if entry.name.startswith(".") else "a system's file"))
        elif entry.is_dir():
            found.append(entry)
        else:
            quarantined.append((str(entry), "not in a class's folder"))
    return found


def _classes(folder: Path, quarantined: Quarantine, known: list[Path] | None = None) -> dict[str, list[Path]]:
    """The pictures of each class folder."""
    folders = _subfolders(folder, quarantined) if known is None else known
    report = lambda path, reason: quarantined.append((str(path), reason))  # noqa: E731
    return {sub.name: list(picture_files(sub, report)) for sub in folders}


def _check_parts(folder: Path, folders: list[Path], parts: dict[Path, str]) -> None:
    """Refuse split folders that are doubled, lack train, or stand beside what may be classes."""
    where = f"Reading {str(folder)!r}"
    names = ", ".join(sub.name for sub in parts)
    others = [sub.name for sub in folders if sub not in parts]
    if others:
        fix = "Move those folders away, or rename the classes."
        raise UserError(where, f"{', '.join(others[:5])} beside {names}", "either splits or classes in a folder", fix)
    if len(set(parts.values())) < len(parts):
        raise UserError(where, names, "one folder for each split", "Put them into one folder.")
    if "train" not in parts.values():
        fix = "Add train/, or pass the folder that holds the classes."
        raise UserError(where, f"{names} without train", "a folder train", fix)


def _agreed_classes(folder: Path, files: dict[str, dict[str, list[Path]]]) -> tuple[str, ...]:
    """The names of the classes, if every split has the same ones and none is empty."""
    where = f"Reading {str(folder)!r}"
    first, *rest = files
    names = tuple(files[first])
    for other in rest:
        odd = sorted(set(names) ^ set(files[other]))
        if odd:
            place = first if odd[0] in names else other
            got = f"class {odd[0]!r} in {place} only" + (f" ({len(odd)} such classes)" if len(odd) > 1 else "")
            raise UserError(where, got, "the same classes in every split", "Add the missing folders or rename them.")
    for part, classes in files.items():
        empty = [name for name, paths in classes.items() if not paths]
        if empty:
            got = f"no picture in {'/'.join(filter(None, (part, empty[0])))}"
            raise UserError(where, got, "at least one picture in every class", "Fill that folder or remove it.")
    if len(names) < 2:
        fix = "Put the pictures into one folder per class, and pass the folder above them."
        raise UserError(where, f"only one class ({names[0]})", "at least two class folders", fix)
    return names
