"""Draws a table with a title and a footer: as text, in the terminal, or as HTML."""

import html
import io
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console, Group
    from rich.table import Table

# Where there is no terminal to ask: notebooks' text, files, logs.
DEFAULT_WIDTH = 100

# "&" stands for the class twice over, which outweighs what JupyterLab says of every table and list.
STYLE = """
& { font: 13px/1.45 system-ui, sans-serif; display: inline-block; max-width: 100%; overflow-x: auto; }
& table { border-collapse: collapse; margin: 0; font: inherit; }
& caption { text-align: left; font-weight: 600; padding: 4px 10px; }
& th, & td { text-align: left; padding: 3px 10px; white-space: pre; }
& thead th { border-bottom: 2px solid #8886; font-weight: 600; white-space: nowrap; }
& tbody th { font-weight: 500; }
& tbody tr { border-bottom: 1px solid #8883; }
& tbody tr:hover { background: #8882; }
& .number { text-align: right; font-variant-numeric: tabular-nums; }
& dl { display: grid; grid-template-columns: max-content max-content; gap: 1px 14px; width: auto; margin: 8px 10px; }
& dt, & dd { width: auto; margin: 0; font-weight: 400; }
& dt { opacity: 0.65; }
& dd { font-variant-numeric: tabular-nums; }
& p { margin: 8px 10px; opacity: 0.65; }
""".replace("&", ".striate-summary.striate-summary")


# What stands in a cell in place of a number.
MARKS = {"all": "the whole input", "-": "nothing to tell", "?": "not known"}


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Args:
        title: Its head.
        cells: One text for every row; may hold line breaks.
        number: Whether it is set flush right.
        rank: Which columns stay where there is no room for all: the lowest first; 0 always stays.
        meaning: What the legend says of it; nothing where the title says all.
    """

    title: str
    cells: Sequence[str]
    number: bool = False
    rank: int = 0
    meaning: str = ""


@dataclass(frozen=True)
class Page:
    """A titled table and the lines below it.

    Example:
        >>> print(Page("Model", [Column("Layer", ["conv2d"]), Column("Params", ["896"], True)], []).text())
        Model
        <BLANKLINE>
         Layer   Params
         ───────────────
         conv2d     896
        <BLANKLINE>
    """

    title: str
    columns: Sequence[Column]
    footer: Sequence[tuple[str, str]]

    def text(self, line_length: int | None = None) -> str:
        """Plain text, `line_length` characters wide at most."""
        from rich.console import Console  # noqa: PLC0415 - keeps `import striate` quick

        width = line_length or shutil.get_terminal_size((DEFAULT_WIDTH, 24)).columns
        console = Console(file=io.StringIO(), width=width, color_system=None, highlight=False, force_jupyter=False)
        console.print(self._draw(console))
        lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
        return "\n".join(line.rstrip() for line in lines)

    def show(self, line_length: int | None = None) -> None:
        """Print it; in a notebook as HTML."""
        from rich.console import Console  # noqa: PLC0415 - keeps `import striate` quick

        console = Console(highlight=False)
        if console.is_jupyter:
            from IPython.display import display  # noqa: PLC0415 - only notebooks have it

            # The text is for front ends that show no HTML: consoles, diffs of saved notebooks.
            display({"text/html": self.html(), "text/plain": self.text(line_length or DEFAULT_WIDTH)}, raw=True)
            return
        console.width = line_length or shutil.get_terminal_size((DEFAULT_WIDTH, 24)).columns
        console.print(self._draw(console))

    def html(self) -> str:
        """A table with its own style, readable on light and dark pages."""
        heads = "".join(f'<th scope="col"{_class(column)}>{html.escape(column.title)}</th>' for column in self.columns)
        first, *others = self.columns
        rows = []
        for index, head in enumerate(first.cells):
            cells = "".join(f"<td{_class(column)}>{html.escape(column.cells[index])}</td>" for column in others)
            rows.append(f'<tr><th scope="row">{html.escape(head)}</th>{cells}</tr>')
        footer = "".join(f"<dt>{html.escape(key)}</dt><dd>{html.escape(value)}</dd>" for key, value in self.footer)
        return (
            f'<div class="striate-summary"><style>{STYLE}</style><table><caption>{html.escape(self.title)}</caption>'
            f"<thead><tr>{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table><dl>{footer}</dl>"
            f"<p>{html.escape(_legend(self.columns))}</p></div>"
        )

    def _draw(self, console: "Console") -> "Group":
        """Title, as many columns as there is room for, a word on those left out, footer, legend."""
        from rich.console import Group  # noqa: PLC0415 - keeps `import striate` quick
        from rich.padding import Padding  # noqa: PLC0415
        from rich.text import Text  # noqa: PLC0415

        width = console.width
        columns = [column for column in self.columns if not column.rank]
        for candidate in sorted(self.columns, key=lambda column: column.rank):
            wider = [column for column in self.columns if column in columns or column is candidate]
            if _needs(wider) <= width:
                columns = wider
        parts: list[Any] = [Text(self.title, style="bold"), _table(columns, width)]
        gone = [" ".join(column.title.split()) for column in self.columns if column not in columns]
        if gone:
            room = f"line_length={_needs(self.columns)} has room for all"
            parts.append(Text(f" Left out ({room}): {', '.join(gone)}\n", style="dim"))
        parts += [Text.assemble((f" {key}: ", "bold"), value) for key, value in self.footer]
        if legend := _legend(columns):
            parts.append(Padding(Text(f"\n{legend}", style="dim"), (0, 0, 0, 1)))
        return Group(*parts)


def count(number: int | None) -> str:
    """A number in at most five characters and a letter.

    Example:
        >>> count(512), count(1_234_567), count(None)
        ('512', '1.2 M', '?')
    """
    if number is None:
        return "?"
    value = float(number)
    for unit in ("", " K", " M", " G", " T"):
        if value < 999.95 or unit == " T":
            return f"{number}" if not unit else f"{value:.1f}{unit}"
        value /= 1000
    raise AssertionError


def memory(size: int | None, digits: int = 1) -> str:
    """Bytes as Keras writes them: 1 KB is 1024 of them.

    Example:
        >>> memory(492_032), memory(492_032, 2), memory(12)
        ('480.5 KB', '480.50 KB', '12 B')
    """
    if size is None:
        return "?"
    value = float(size)
    for unit in ("B", "KB", "MB", "GB", "TB"):
        if value < 1024 or unit == "TB":
            break
        value /= 1024
    return f"{value:.{0 if unit == 'B' and digits == 1 else digits}f} {unit}"


def _class(column: Column) -> str:
    return ' class="number"' if column.number else ""


def _legend(columns: Sequence[Column]) -> str:
    """What the columns mean, and the marks that stand in them.

    Example:
        >>> _legend([Column("Layer", ["dense"]), Column("FLOPs", ["?"], True, meaning="for one item")])
        'FLOPs: for one item; ?: not known'
    """
    told = [column for column in columns if column.meaning and column.cells]
    cells = {cell for column in told for cell in column.cells}
    lines = [f"{' '.join(column.title.split())}: {column.meaning}" for column in told]
    return "; ".join(lines + [f"{mark}: {text}" for mark, text in MARKS.items() if mark in cells])


def _widths(columns: Sequence[Column]) -> list[int]:
    """The characters that each column takes; the first one, names, may break between words."""
    first, *others = ([column.title, *column.cells] for column in columns)
    names = max(len(word) for text in first for word in text.split())
    return [names, *(max(len(line) for text in texts for line in text.split("\n")) for texts in others)]


def _needs(columns: Sequence[Column]) -> int:
    """The fewest characters a line must have for these columns: gaps are two wide, edges one."""
    return sum(width + 2 for width in _widths(columns)) + 1


def _table(columns: Sequence[Column], width: int) -> "Table":
    from rich import box  # noqa: PLC0415 - keeps `import striate` quick
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(box=box.SIMPLE_HEAD, header_style="bold", padding=(0, 1, 0, 0))
    roomy = _needs(columns) <= width
    for index, (column, needed) in enumerate(zip(columns, _widths(columns), strict=True)):
        table.add_column(
            column.title,
            justify="right" if column.number else "left",
            style=None if index == 0 else "green" if column.number else "cyan",
            overflow="fold",
            min_width=needed if roomy else None,
            no_wrap=roomy and index > 0,
        )
    for cells in zip(*(column.cells for column in columns), strict=True):
        table.add_row(*(Text(cell) for cell in cells))
    return table
