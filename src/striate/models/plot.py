"""`plot_model`: a network as a drawing, boxes for layers and lines for what flows between them."""

import html
import os
from dataclasses import dataclass
from typing import Any

from striate.foundation.checks import UnsupportedError, UserError, check_choice, check_flag, check_int, check_path
from striate.foundation.explain import explaining
from striate.foundation.files import write_text
from striate.foundation.shapes import describe
from striate.layers.activation_names import serialize
from striate.layers.holder import weights_of
from striate.layers.structure import is_shape
from striate.layers.symbol import Node, replace_symbols, symbols_in
from striate.models.arrange import Arrangement, Point, arrange

MARGIN, PAD, ROW, TITLE = 14.0, 12.0, 18.0, 26.0
LETTER, SMALL_LETTER = 8.2, 6.9  # widths at 13 and 12 px; system fonts differ, so a little more than most need
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif"
INK, MUTED, RULE, PAPER = "#1b1f24", "#59636e", "#c4cbd3", "#ffffff"
# Soft colours of about equal lightness, told apart by what their names hold; the first that fits.
COLOURS = (
    ("Input", "#dfe5ea"),
    ("Conv", "#c9def2"),
    ("Pool", "#d3ead6"),
    ("Dense", "#f6dfc4"),
    ("Normalization", "#e6dcf3"),
    ("Dropout", "#f3dbe2"),
    ("Random", "#f3dbe2"),
    ("", "#eceef1"),
)


@dataclass(frozen=True)
class Options:
    """What a drawing shows; arguments as for `plot_model`."""

    show_shapes: bool = False
    show_dtype: bool = False
    show_layer_names: bool = False
    rankdir: str = "TB"
    expand_nested: bool = False
    show_layer_activations: bool = False
    show_trainable: bool = False

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if name != "rankdir":
                check_flag("plot_model", name, value)
        check_choice("plot_model", "rankdir", self.rankdir, ["TB", "LR"])


class ModelPlot:
    """A drawing of a network; notebooks show it.

    Args:
        svg: The drawing.

    Attributes:
        svg: The drawing as a text of SVG.
    """

    def __init__(self, svg: str) -> None:
        self.svg = svg

    def _repr_svg_(self) -> str:
        return self.svg

    def __repr__(self) -> str:
        return f"<ModelPlot of {len(self.svg)} bytes of SVG>"


@explaining
def plot_model(
    model: Any,
    to_file: str | os.PathLike[str] | None = "model.svg",
    show_shapes: bool = False,
    show_dtype: bool = False,
    show_layer_names: bool = False,
    rankdir: str = "TB",
    expand_nested: bool = False,
    dpi: int = 200,
    show_layer_activations: bool = False,
    show_trainable: bool = False,
    **unknown: Any,
) -> ModelPlot:
    """Draw a network.

    Args:
        model: A model whose layers are known: functional, or a built `Sequential`.
        to_file: An .svg file to write; None for none. Keras writes PNG through Graphviz, which striate does not need.
        show_shapes: Whether to show what shapes go in and out.
        show_dtype: Whether to show in which dtype a layer computes.
        show_layer_names: Whether to show the layers' names.
        rankdir: "TB": downward; "LR": to the right.
        expand_nested: Whether to draw what is inside of models inside.
        dpi: Not used: SVG is sharp at every size.
        show_layer_activations: Whether to show activations that belong to layers.
        show_trainable: Whether to show which layers training changes.

    Returns:
        The drawing, which notebooks show; its `svg` is the text.

    Raises:
        UnsupportedError: The file is to be no SVG.
        UserError: The model's layers are not known yet, or an argument is out of range.

    Example:
        >>> from striate.layers import Dense
        >>> from striate.models import Sequential
        >>> plot = plot_model(Sequential([Dense(2, input_shape=(3,), name="two")]), None, show_layer_names=True)
        >>> "two" in plot.svg
        True
    """
    where = "plot_model"
    if unknown:
        raise UserError(where, f"an unknown argument {next(iter(unknown))!r}", "Keras's arguments", "Leave it out.")
    if to_file is not None and check_path(where, "to_file", to_file).suffix.lower() != ".svg":
        needs = "a file that ends in .svg: striate draws without Graphviz"
        raise UnsupportedError(where, f"to_file={str(to_file)!r}", needs, "Use .svg: to_file='model.svg'.")
    check_int(where, "dpi", dpi)
    options = Options(
        show_shapes, show_dtype, show_layer_names, rankdir, expand_nested, show_layer_activations, show_trainable
    )
    if getattr(model, "graph", None) is None:
        needs = "a model whose layers are known: functional, or a built Sequential"
        fix = "Give the first layer input_shape=, or call build(input_shape); subclassed models have no drawing."
        raise UserError(where, f"the {type(model).__name__} {getattr(model, 'name', '')!r}", needs, fix)
    svg = _Drawing(model, options).page(model.name)
    if to_file is not None:
        write_text(to_file, svg)
    return ModelPlot(svg)


class _Box:
    """One call of a layer: a title on a coloured ground, and lines below; or a frame around a model inside."""

    def __init__(self, node: Node, options: Options) -> None:
        layer = node.layer
        self.kind = layer.kind
        self.title = f"{layer.name} ({self.kind})" if options.show_layer_names else self.kind
        self.rows = _rows(node, options)
        nested = options.expand_nested and getattr(layer, "graph", None) is not None
        self.inside = _Drawing(layer, options) if nested else None
        self.width = max(len(self.title) * LETTER, *(_row_width(row) for row in self.rows), 60.0) + 2 * PAD
        self.height = TITLE + (len(self.rows) * ROW + 8 if self.rows else 0.0)
        if self.inside is not None:
            self.width = max(self.width, self.inside.width + 2 * PAD)
            self.height += self.inside.height + 2 * PAD

    def svg(self, x: float, y: float) -> str:
        colour = next(colour for part, colour in COLOURS if part in self.kind)
        frame = f'x="{x:.1f}" y="{y:.1f}" width="{self.width:.1f}"'
        bottom = y + TITLE
        parts = [
            f'<rect {frame} height="{self.height:.1f}" rx="6" fill="{PAPER}"/>',
            f'<path d="{_header(x, y, self.width, bool(self.rows or self.inside))}" fill="{colour}"/>',
            f'<text x="{x + self.width / 2:.1f}" y="{y + 17.5:.1f}" text-anchor="middle" font-size="13" '
            f'font-weight="600" fill="{INK}">{html.escape(self.title)}</text>',
        ]
        for number, (name, value) in enumerate(self.rows):
            line = y + TITLE + 17 + number * ROW
            parts.append(
                f'<text x="{x + PAD:.1f}" y="{line:.1f}" font-size="12" fill="{MUTED}">{name}</text>'
                f'<text x="{x + self.width - PAD:.1f}" y="{line:.1f}" text-anchor="end" font-size="12" '
                f'fill="{INK}">{html.escape(value)}</text>'
            )
        if self.inside is not None:
            bottom += len(self.rows) * ROW + (8 if self.rows else 0)
            parts.append(self.inside.svg(x + (self.width - self.inside.width) / 2, bottom + PAD))
        parts.append(f'<rect {frame} height="{self.height:.1f}" rx="6" fill="none" stroke="{RULE}"/>')
        return "".join(parts)


class _Drawing:
    """The boxes and lines of one graph."""

    def __init__(self, model: Any, options: Options) -> None:
        self.down = options.rankdir == "TB"
        nodes = model.graph.nodes
        self.boxes = [_Box(node, options) for node in nodes]
        numbers = {id(symbol): number for number, node in enumerate(nodes) for symbol in symbols_in(node.outputs)}
        edges = [
            (numbers[id(symbol)], number)
            for number, node in enumerate(nodes)
            for symbol in dict.fromkeys(node.inputs)
            if id(symbol) in numbers
        ]
        sizes = [(box.height, box.width) if self.down else (box.width, box.height) for box in self.boxes]
        self.plan: Arrangement = arrange(sizes, edges)
        self.width, self.height = self._turn((self.plan.along, self.plan.across))

    def _turn(self, point: Point) -> Point:
        """(x, y) of (along, across)."""
        return (point[1], point[0]) if self.down else point

    def page(self, title: str) -> str:
        """The drawing as a file of its own."""
        width, height = self.width + 2 * MARGIN, self.height + 2 * MARGIN
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
            f'viewBox="0 0 {width:.0f} {height:.0f}" font-family="{FONT}" role="img">'
            f"<title>{html.escape(title)}</title>"
            f'<rect width="100%" height="100%" rx="8" fill="{PAPER}"/>{self.svg(MARGIN, MARGIN)}</svg>\n'
        )

    def svg(self, x: float, y: float) -> str:
        lines = "".join(self._line(points, x, y) for points in self.plan.lines)
        corners = [self._turn(corner) for corner in self.plan.boxes]
        boxes = "".join(box.svg(x + left, y + top) for box, (left, top) in zip(self.boxes, corners, strict=True))
        return lines + boxes

    def _line(self, points: list[Point], x: float, y: float) -> str:
        (along, across), *others = points
        path = [f"M {_at(self._turn((along, across)), x, y)}"]
        tip, side = points[-1]
        if others[-2][0] == tip:  # room for the arrow's head
            others[-2:] = [(tip - 7, side)]
        others[-1] = (tip - 7, side)
        for next_along, next_across in others:
            middle = (along + next_along) / 2
            bends = [(middle, across), (middle, next_across), (next_along, next_across)]
            path.append("C " + ", ".join(_at(self._turn(bend), x, y) for bend in bends))
            along, across = next_along, next_across
        head = [(tip - 8, side - 4), (tip - 8, side + 4), (tip - 0.5, side)]
        corners = " ".join(_at(self._turn(corner), x, y).replace(" ", ",") for corner in head)
        return (
            f'<path d="{" ".join(path)}" fill="none" stroke="{MUTED}" stroke-width="1.4"/>'
            f'<polygon points="{corners}" fill="{MUTED}"/>'
        )


def _at(point: Point, x: float, y: float) -> str:
    return f"{point[0] + x:.1f} {point[1] + y:.1f}"


def _header(x: float, y: float, width: float, square: bool) -> str:
    """The outline of a title's ground: round above, and below too where nothing follows."""
    below = 0 if square else 6
    return (
        f"M {x:.1f} {y + 6:.1f} q 0 -6 6 -6 h {width - 12:.1f} q 6 0 6 6 v {TITLE - 6 - below:.1f} "
        f"q 0 {below} -{below} {below} h -{width - 2 * below:.1f} q -{below} 0 -{below} -{below} z"
    )


def _rows(node: Node, options: Options) -> list[tuple[str, str]]:
    """What stands below a title: names and values."""
    layer, rows = node.layer, []
    activation = getattr(layer, "activation", None)
    if options.show_layer_activations and callable(activation):
        try:
            said = serialize(activation)
            rows.append(("Activation", said if isinstance(said, str) else said["config"]))
        except UserError:  # a function of the user's own
            rows.append(("Activation", getattr(activation, "__name__", "own")))
    if options.show_shapes:
        if node.inputs:
            rows += [("Input shape", text) for text in _shapes([symbol.shape for symbol in node.inputs])]
        outputs = replace_symbols(node.outputs, lambda symbol: symbol.shape)
        rows += [("Output shape", text) for text in _shapes(outputs)]
    if options.show_dtype:
        rows.append(("Dtype", layer.dtype))
    if options.show_trainable and weights_of(layer):
        rows.append(("Trainable", "yes" if layer.trainable else "no"))
    return rows


def _shapes(shape: Any) -> list[str]:
    if is_shape(shape):
        return [describe(shape)]
    parts = shape.values() if isinstance(shape, dict) else shape
    return [text for part in parts for text in _shapes(part)]


def _row_width(row: tuple[str, str]) -> float:
    return (len(row[0]) + len(row[1])) * SMALL_LETTER + 16
