"""Draws a run's figures: as PNG files, and as SVG that takes its colours and letters from the page around it.

Figures are made without pyplot, whose list of open figures would grow in a server; the style holds only while one is
drawn, so that neither a notebook's style nor ours leaks into the other.
"""

import contextlib
import io
import itertools
import os
import re
import threading
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import numpy as np

from striate.apps.breakdown import Confusion, ReliabilityPoint
from striate.apps.diagrams import Diagram
from striate.apps.run_files import Curves, RunFiles, read_curves
from striate.foundation.files import atomic_path

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's blue and vermillion, told apart by every kind of colour vision (jfly.uni-koeln.de/color). In a page
# each colour becomes the CSS variable of its name, which dark pages set to a lighter one.
COLOURS = {
    "ink": "#1b1f24",
    "muted": "#59636e",
    "rule": "#d5dade",
    "blue": "#0072b2",
    "orange": "#d55e00",
    "green": "#009e73",
    "pink": "#cc79a7",
}
# Lines of one diagram: colour, dashes and mark.
LOOKS: tuple[tuple[str, Any, str], ...] = (
    ("blue", "-", "o"),
    ("orange", (0, (5, 2)), "s"),
    ("green", (0, (1, 1)), "^"),
    ("pink", (0, (5, 1, 1, 1)), "D"),
    ("ink", (0, (3, 3)), "v"),
    ("muted", "-", "x"),
)
# Matplotlib's own font knows no Chinese, Japanese or Korean; these do, where one is installed.
OTHER_FONTS = (
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "PingFang SC",
    "Hiragino Sans",
    "Microsoft YaHei",
    "Malgun Gothic",
)
LONGEST_NAME = 24
MOST_NAMES = 40  # more labels along one side of a heat map than this would overlap
WIDTH, HEIGHT = 4.2, 2.9  # inches: as wide as a phone, so that its letters are not scaled down there

_one_at_a_time = threading.RLock()


@contextlib.contextmanager
def _style() -> Iterator[None]:
    """Our look while a figure is drawn. One thread at a time, since matplotlib's settings are the process's."""
    import matplotlib.style  # noqa: PLC0415 - half a second, which commands without figures need not pay
    from matplotlib.font_manager import fontManager  # noqa: PLC0415

    others = [font for font in OTHER_FONTS if font in fontManager.get_font_names()]
    ink, muted, rule = COLOURS["ink"], COLOURS["muted"], COLOURS["rule"]
    look = {
        "font.family": ["DejaVu Sans", *others],
        "font.size": 9.5,
        "text.color": ink,
        "text.parse_math": False,  # a name may hold dollar signs
        "axes.edgecolor": rule,
        "axes.labelcolor": muted,
        "axes.titlelocation": "left",
        "axes.titleweight": "bold",
        "axes.titlesize": 10.5,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.axisbelow": True,
        "grid.color": rule,
        "grid.linewidth": 0.7,
        "xtick.color": rule,
        "ytick.color": rule,
        "xtick.labelcolor": muted,
        "ytick.labelcolor": muted,
        "legend.frameon": False,
        "legend.fontsize": 9,
        "lines.linewidth": 1.8,
        "lines.markersize": 4,
        "svg.fonttype": "none",
        "svg.hashsalt": "striate",  # else the same figure has other ids in every report
    }
    with _one_at_a_time, matplotlib.style.context(["default", look]), warnings.catch_warnings():
        # A page shows the letters that matplotlib's fonts lack; it only measures them here.
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from")
        yield


def draw_progress(run_folder: str | os.PathLike[str]) -> Path:
    """Draw `progress.png` of a run folder: loss and main figure over the epochs, the best epoch marked.

    Args:
        run_folder: Holds metrics.csv with one epoch at least.

    Returns:
        The path of the picture.

    Raises:
        UserError: There is no metrics.csv, it is damaged, or no epoch has ended yet.
    """
    run = RunFiles(run_folder)
    curves = read_curves(run)
    if curves is None:
        raise run.damaged("metrics.csv", "no finished epoch")
    target = run.folder / "progress.png"
    with _style():
        names = curves.names[:2] or ["loss"]
        figure = _figure(WIDTH * len(names), HEIGHT)
        for axes, name in zip(np.ravel(figure.subplots(1, len(names))), names, strict=True):
            _draw_curve(axes, curves, name)
        with atomic_path(target) as path:
            figure.savefig(path, format="png", dpi=150, facecolor="white")
    return target


def draw_trials(run_folder: str | os.PathLike[str], values: Sequence[tuple[int, float]], higher: bool) -> Path:
    """Draw `trials.png`: what each trial of a search reached, and the best so far.

    Args:
        run_folder: Where it goes.
        values: (number, figure), in order.
        higher: Whether more is better.
    """
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415 - as above

    target = Path(run_folder) / "trials.png"
    with _style():
        figure = _figure(1.4 * WIDTH, HEIGHT)
        axes = figure.subplots()
        numbers, reached = map(np.array, zip(*values, strict=True))
        best = (np.maximum if higher else np.minimum).accumulate(reached)
        axes.plot(numbers, reached, "o", color=COLOURS["blue"], label="a trial")
        axes.plot(numbers, best, color=COLOURS["orange"], drawstyle="steps-post", label="the best so far")
        axes.set(xlabel="trial", ylabel="higher is better" if higher else "lower is better")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(axis="y")
        axes.legend()
        with atomic_path(target) as path:
            figure.savefig(path, format="png", dpi=150, facecolor="white")
    return target


@_style()
def curve_figure(curves: Curves, name: str) -> "Figure":
    """One figure over the epochs, in training and in validation.

    Args:
        name: Its column in metrics.csv, without "val_".
    """
    figure = _figure(WIDTH, HEIGHT)
    _draw_curve(figure.subplots(), curves, name)
    return figure


@_style()
def confusion_figure(confusion: Confusion) -> "Figure":
    """A heat map of how often what was taken for what, as shares of the rows; for many classes, without numbers."""
    from matplotlib.colors import PowerNorm  # noqa: PLC0415

    figure = _figure(5.6, 5.0)
    axes = figure.subplots()
    # "none": a page scales the cells themselves, sharp. The root brings out mistakes of a few hundredths.
    image = axes.imshow(confusion.shares, cmap="cividis", norm=PowerNorm(0.5, 0, 1), interpolation="none")
    axes.spines[:].set_visible(False)
    axes.set(xlabel="called", ylabel="was")
    axes.tick_params(length=0, labelsize=8)
    for axis, names in ((axes.xaxis, confusion.answers), (axes.yaxis, confusion.truths)):
        if len(names) <= MOST_NAMES:
            axis.set_ticks(range(len(names)), [short(name) for name in names])
    if len(confusion.answers) <= MOST_NAMES:
        axes.tick_params(axis="x", labelrotation=90)
    bar = figure.colorbar(image, ax=axes, shrink=0.7, ticks=[0, 0.01, 0.1, 0.25, 0.5, 1], label="share of the row")
    bar.ax.set_yticklabels(["0", "1 %", "10 %", "25 %", "50 %", "100 %"])
    bar.outline.set_visible(False)
    return figure


@_style()
def reliability_figure(points: Sequence[ReliabilityPoint]) -> "Figure":
    """Confidence against the share of right answers, with 95 % intervals, over how many answers are that sure."""
    figure = _figure(WIDTH, 3.9)
    top, below = figure.subplots(2, 1, sharex=True, height_ratios=[4, 1])
    confidence = np.array([point.confidence for point in points])
    accuracy = np.array([point.accuracy for point in points])
    spread = np.array([(point.accuracy - point.low, point.high - point.accuracy) for point in points]).reshape(-1, 2)
    top.plot([0, 1], [0, 1], color=COLOURS["muted"], linewidth=1, linestyle=(0, (4, 3)))
    top.errorbar(confidence, accuracy, np.maximum(spread.T, 0), color=COLOURS["blue"], fmt="o-")
    top.set(xlim=(0, 1), ylim=(0, 1.02), ylabel="share that is right")
    below.bar(confidence, [point.count for point in points], width=0.06, color=COLOURS["blue"])
    below.set(xlabel="confidence", ylabel="answers")
    for axes in (top, below):
        axes.grid(axis="y")
        axes.tick_params(length=0)
    for axis in (top.yaxis, below.xaxis):
        axis.set_ticks([0, 0.25, 0.5, 0.75, 1], ["0", "25 %", "50 %", "75 %", "100 %"])
    below.locator_params(axis="y", nbins=3)
    return figure


@_style()
def diagram_figure(diagram: Diagram) -> "Figure":
    """Lines over axes from 0 to 1, told apart by dashes and marks as well as by colours."""
    figure = _figure(WIDTH, 3.4)
    axes = figure.subplots()
    if diagram.diagonal:
        axes.plot([0, 1], [0, 1], color=COLOURS["muted"], linewidth=1, linestyle=(0, (1, 2)))
    for (label, x, y), (colour, dashes, mark) in zip(diagram.lines, itertools.cycle(LOOKS), strict=False):
        marker = mark if len(x) < 20 else None
        axes.plot(x, y, label=short(label), color=COLOURS[colour], linestyle=dashes, marker=marker)
    axes.set(xlim=(0, 1.01), ylim=(0, 1.02), xlabel=diagram.across, ylabel=diagram.up)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_ticks([0, 0.25, 0.5, 0.75, 1], ["0", "25 %", "50 %", "75 %", "100 %"])
    axes.grid()
    axes.tick_params(length=0)
    if any(label for label, _, _ in diagram.lines):
        axes.legend()
    return figure


def svg(figure: "Figure", label: str) -> str:
    """A figure as an `<svg>` element for a page, which gives it its font and the colours `--ink`, `--blue`, ...

    Args:
        label: What it shows, for those who cannot see it.
    """
    buffer = io.BytesIO()
    with _style():
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    root = ElementTree.fromstring(buffer.getvalue())
    prefix = re.sub(r"\W+", "-", label) + "-"
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag.endswith(("metadata", "}style")):  # matplotlib's style would reach the whole page
                parent.remove(child)
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]  # within HTML an svg element needs no namespace
        element.attrib = {key.rpartition("}")[2]: _adapt(key, text, prefix) for key, text in element.attrib.items()}
    root.attrib = {"viewBox": root.attrib["viewBox"], "role": "img", "aria-label": label}
    return ElementTree.tostring(root, encoding="unicode")


def short(name: str) -> str:
    r"""A name as a figure can show it: printable, and not too long.

    Example:
        >>> short("cat"), short("a\x00b"), short("a name that is much too long for a label")
        ('cat', 'a�b', 'a name that is much too…')
    """
    printable = "".join(letter if letter.isprintable() else "\ufffd" for letter in name)
    return printable if len(printable) <= LONGEST_NAME else printable[: LONGEST_NAME - 1] + "…"


def _figure(width: float, height: float) -> "Figure":
    from matplotlib.figure import Figure  # noqa: PLC0415

    return Figure((width, height), layout="constrained")


def _draw_curve(axes: "Axes", curves: Curves, name: str) -> None:
    """Training dashed, validation whole, so that the lines differ without colours, too."""
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415

    training, validation = curves.pair(name)
    marker = "o" if len(curves.epochs) < 15 else None  # one epoch alone would draw no line
    look: list[tuple[Any, str, str, Any]] = [
        (training, "training", "orange", (0, (4, 2))),
        (validation, "validation", "blue", "-"),
    ]
    for values, label, colour, dashes in look:
        if np.isfinite(values).any():
            axes.plot(curves.epochs, values, label=label, color=COLOURS[colour], linestyle=dashes, marker=marker)
    axes.set_title(short(name))
    axes.set_xlabel("epoch")
    axes.grid(axis="y")
    axes.tick_params(length=0)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))
    axes.set_xlim(curves.epochs[0] - 0.5, curves.epochs[-1] + 0.5)
    if not axes.lines:
        axes.text(0.5, 0.5, "no finite number yet", transform=axes.transAxes, ha="center", color=COLOURS["muted"])
        return
    if curves.best is not None and len(curves.epochs) > 1:
        label = f"best: epoch {curves.best}"
        axes.axvline(curves.best, color=COLOURS["muted"], linewidth=1, linestyle=(0, (1, 2)), label=label)
    axes.legend()


def _adapt(attribute: str, text: str, prefix: str) -> str:
    """One attribute of matplotlib's SVG: ids of its own, the page's font, the page's colours."""
    if attribute == "id":
        return prefix + text
    if attribute.endswith("href") and text.startswith("#"):
        return "#" + prefix + text[1:]
    text = text.replace("url(#", "url(#" + prefix)
    if attribute == "style":
        text = re.sub(r"font: (?:(bold|\d+) )?([\d.]+px)[^;]*", _font, text)
        text = re.sub(r"font-family: [^;]*;? ?", "", text)
        for name, colour in COLOURS.items():
            text = text.replace(colour, f"var(--{name})")
    return text


def _font(found: re.Match[str]) -> str:
    weight = "; font-weight: 600" if found[1] else ""
    return f"font-size: {found[2]}{weight}"
