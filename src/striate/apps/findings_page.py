"""Draws what the doctor found, with the pictures shown, as a page that needs no other file."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from striate.data.findings import Finding
from striate.data.samples import SampleSet

SHOWN = 12  # groups of pictures of one finding
IN_GROUP = 4
SIDE = 192  # pixels
WORDS = {"refuse": "Refused", "quarantine": "Left out", "warn": "Look at this", "note": "Good to know"}
MARKS = {"refuse": "✕", "quarantine": "⊘", "warn": "!", "note": "i"}  # so that no colour is needed to tell them apart


@dataclass(frozen=True)
class Thumbnail:
    """A sample in the page.

    Attributes:
        name: What it is called.
        lines: Its class and split.
        uri: Its picture; None where there is none to show.
    """

    name: str
    lines: tuple[str, ...]
    uri: str | None


def findings_page(title: str, findings: Sequence[Finding], samples: SampleSet, facts: Markup) -> str:
    """The page.

    Args:
        title: Its heading.
        findings: What was found, the worst first.
        samples: Those that the findings name.
        facts: What else is known of the data.
    """
    by_id = {sample.id: number for number, sample in enumerate(samples)}

    def show(name: str) -> Thumbnail:
        number = by_id.get(name)
        if number is None:
            return Thumbnail(name, (), None)
        sample = samples[number]
        targets = sample.target if isinstance(sample.target, tuple) else (sample.target,)
        label = ", ".join(samples.classes[target] for target in targets)
        return Thumbnail(name, tuple(filter(None, (label, sample.split))), _picture(sample.source))

    shown: list[dict[str, Any]] = [
        {
            "finding": finding,
            "groups": [[show(name) for name in group[:IN_GROUP]] for group in finding.samples[:SHOWN]],
            "left": max(finding.count - SHOWN, 0),
        }
        for finding in findings
    ]
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    template = environment.get_template("data_report.html.jinja")
    return template.render(title=title, shown=shown, facts=facts, words=WORDS, marks=MARKS)


def _picture(source: str | None) -> str | None:
    from PIL import Image, ImageOps  # noqa: PLC0415 - not every command shows pictures

    try:
        with Image.open(str(source)) as file:
            file.draft("RGB", (2 * SIDE, 2 * SIDE))
            image = ImageOps.exif_transpose(file)
            image = image.point(lambda value: value / 256).convert("L") if image.mode[0] == "I" else image
            image = image.convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    image.thumbnail((SIDE, SIDE))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
