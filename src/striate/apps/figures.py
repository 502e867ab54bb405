"""Names the figures of every task in words that a newcomer understands."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from striate.apps.run_files import number

# Name in metrics.json: (title, meaning, how it is written). A "percent" is a share of something, a "unit" lies
# between 0 and 1, too, and is by custom not written as a percentage.
KNOWN = {
    "accuracy": ("Accuracy", "share of right answers", "percent"),
    "balanced_accuracy": ("Balanced accuracy", "share of right answers, every class counting alike", "percent"),
    "f1": ("F1", "how few classes are missed and mistaken, mean over classes; 1 is perfect", "unit"),
    "auc": ("AUC", "how often the right one is ranked above a wrong one; 0.5 is chance, 1 is perfect", "unit"),
    "ece": ("Calibration error", "how far its confidence is from how often it is right; 0 is honest", "unit"),
    "ece_uncalibrated": ("Calibration error before", "the same before the confidence was calibrated", "unit"),
    "coverage": ("Coverage", "how often the right class is among those held possible", "percent"),
    "sure": ("Sure answers", "share of answers where only one class is held possible", "percent"),
    "accuracy_sure": ("Accuracy where sure", "share of right ones among the sure answers", "percent"),
    "loss": ("Loss", "what training makes small; to compare runs on the same data with", "number"),
    "map": ("mAP", "boxes found and well placed, mean over overlaps of 0.5 to 0.95; 1 is perfect", "unit"),
    "map50": ("mAP at 0.5", "boxes found with at least half an overlap; 1 is perfect", "unit"),
    "dice": ("Dice", "overlap of the drawn with the true region; 1 is perfect", "unit"),
    "iou": ("IoU", "shared part of the drawn and the true region; 1 is perfect", "unit"),
    "hd95_mm": ("Boundary distance", "millimetres that 95 % of the boundary stay within; 0 is perfect", "number"),
    "pixel_error": ("Pixel error", "share of wrong pixels", "percent"),
    "identification_accuracy": ("Identification accuracy", "share of persons named rightly", "percent"),
    "eer": ("Equal error rate", "share of errors where false matches and misses are as frequent", "percent"),
    "tar_at_far_1e-2": ("True accepts at 1 % false", "share of matches found, 1 % of strangers let in", "percent"),
    "mae": ("Mean absolute error", "how far off it is on average, in the unit of the data", "number"),
    "rmse": ("Root mean square error", "how far off it is, large errors counting more", "number"),
}


@dataclass(frozen=True)
class NamedFigure:
    """A test figure with its 95 % interval.

    Args:
        name: As files call it.
        title, meaning: As people call it; nothing where striate does not know the name.
        value, low, high: NaN where not defined.
        style: "percent", "unit" or "number".
    """

    name: str
    title: str
    meaning: str
    value: float
    low: float
    high: float
    style: str

    @property
    def bounded(self) -> bool:
        """Whether it can be drawn as a bar from 0 to 1."""
        return self.style != "number" and 0 <= self.value <= 1

    @property
    def has_interval(self) -> bool:
        """Whether both ends are known."""
        return math.isfinite(self.low) and math.isfinite(self.high)

    def text(self, value: float) -> str:
        """A value as it is written.

        Example:
            >>> figure = read_figures({"accuracy": {"value": 0.975}})[0]
            >>> figure.text(figure.value), figure.text(figure.low)
            ('97.5\u202f%', '–')
        """
        if not math.isfinite(value):
            return "–"
        if self.style == "percent":
            return percent(value)
        return f"{value:.3f}" if self.style == "unit" else f"{value:.4g}"


def read_figures(metrics: Mapping[str, Any]) -> list[NamedFigure]:
    """The figures of metrics.json, in its order: each {"value", "low", "high"}, or a number alone."""
    figures = []
    for name, entry in metrics.items():
        parts = entry if isinstance(entry, dict) else {"value": entry}
        title, meaning, style = KNOWN.get(name, (name.replace("_", " "), "", "number"))
        value, low, high = (number(parts.get(key)) for key in ("value", "low", "high"))
        figures.append(NamedFigure(name, title, meaning, value, low, high, style))
    return figures


def percent(share: float) -> str:
    """A share in percent, with a space that does not break; only nothing is 0 %, and only all is 100 %.

    Example:
        >>> percent(0.975), percent(1), percent(0.9999), percent(float("nan"))
        ('97.5\u202f%', '100\u202f%', '>99.9\u202f%', '–')
    """
    if not math.isfinite(share):
        return "–"
    text = f"{100 * share:.1f}"
    if share in (0, 1):
        text = f"{share:.0%}".rstrip("%")
    elif text in ("0.0", "100.0"):
        text = "<0.1" if share < 0.5 else ">99.9"
    return text + "\N{NARROW NO-BREAK SPACE}%"
