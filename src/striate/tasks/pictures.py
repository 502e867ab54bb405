"""What tasks over pictures share: sizes before decoding, and drawings."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from striate.data.samples import Rows, SampleSet
from striate.data.threads import side_by_side, worker_count

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, GREEN, ORANGE = "#0072b2", "#009e73", "#d55e00"  # Okabe and Ito's, told apart by every kind of colour vision


def picture_shapes(samples: SampleSet) -> Iterator[tuple[int, int, str]]:
    """(height, width, mode) of every picture, from its file's header or its array."""
    if isinstance(samples.store, Rows):
        shapes = (samples.load(sample).shape for sample in samples)
        return ((shape[0], shape[1], {1: "L", 3: "RGB", 4: "RGBA"}[shape[2]]) for shape in shapes)
    return side_by_side(_header, [str(sample.source) for sample in samples], worker_count())


def _header(path: str) -> tuple[int, int, str]:
    from PIL import Image, ImageOps  # noqa: PLC0415 - Pillow takes time to import

    with Image.open(path) as picture:
        turned = picture.getexif().get(ImageOps.ExifTags.Base.Orientation, 1) > 4  # on its side
        width, height = picture.size[::-1] if turned else picture.size
        return height, width, picture.mode


def draw_picture(picture: np.ndarray, title: str, bars: Sequence[tuple[str, float]] = ()) -> "Figure":
    """A picture under its title, beside what was held likely.

    Args:
        picture: (height, width, channels), numbers from 0 to 1.
        title: What it shows; the bar of this name is green, the first of another name orange.
        bars: (name, probability), the likeliest first.
    """
    from matplotlib.figure import Figure  # noqa: PLC0415 - half a second, which commands without figures save

    figure = Figure((4.8 if bars else 2.4, 2.4), dpi=100, layout="constrained")
    axes = figure.subplots(1, 2, width_ratios=[1, 1])[0] if bars else figure.subplots()
    shown = picture.clip(0, 1)
    axes.imshow(shown[..., 0] if shown.shape[2] == 1 else shown, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    axes.set_title(f"target: {title}" if title and bars else title, fontsize=10, parse_math=False)
    axes.axis("off")
    if bars:
        _draw_bars(figure.axes[1], title, bars)
    return figure


def _draw_bars(axes: "Axes", title: str, bars: Sequence[tuple[str, float]]) -> None:
    names = [name if len(name) <= 18 else name[:17] + "…" for name, _ in bars]
    wrong = ORANGE if title and bars[0][0] != title else BLUE
    colours = [GREEN if name == title else wrong if place == 0 else "#9aa4ad" for place, (name, _) in enumerate(bars)]
    axes.barh(range(len(bars)), [value for _, value in bars], color=colours)
    axes.set_yticks(range(len(bars)), names, fontsize=9, parse_math=False)
    axes.set_xticks([])
    axes.set_xlim(0, 1.25)
    axes.set_ylim(4.6, -0.6)  # room for five, so that the bars of two are as thick
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    for place, (_, value) in enumerate(bars):
        axes.text(value + 0.03, place, f"{100 * value:.1f} %", va="center", fontsize=9)
