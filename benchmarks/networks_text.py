"""What `networks.py` has measured, as text and as a table."""

from typing import Any

from measure import tell


def lines_of(title: str, row: dict[str, Any], close: float) -> list[str]:
    """A row as text: a line for striate, and one for each of the others; figures agree that are so close."""
    own, training = row["sides"]["striate"], "first_loss" in row["sides"]["striate"]
    bound = max(row["limit"], key=lambda name: row["limit"][name])
    losses = f", loss {own['first_loss']:.4f} to {own['last_loss']:.4f}" if training else ""
    memory = f", {_megabytes(own)} MB" if training else ""
    lines = [
        f"{title}: striate {1e3 * own['seconds']['median']:.2f} ms{memory}{losses}; "
        f"{row['share']:.2f} of the limit, {1e3 * row['limit'][bound]:.2f} ms of {bound}"
    ]
    for side, found in row["sides"].items():
        if side == "striate":
            continue
        used = f", {_megabytes(found)} MB" if training else ""
        way = f", {found['way']}" if found["way"] else ""
        fits = "agrees" if found["difference"] <= close else "DIFFERS"
        lines.append(
            f"    {side:<16} {tell(found['ratio'], 2)}; {1e3 * found['seconds']['median']:.2f} ms{used}{way}; "
            f"{fits}: {found['difference']:.1e}"
        )
    return lines + [f"    {side:<16} did not run: {why}" for side, why in row["failed"].items()]


def _megabytes(found: dict[str, Any]) -> str:
    return "?" if found["memory"] is None else f"{found['memory'] / 1e6:.0f}"


def table_of(rows: dict[str, Any]) -> list[str]:
    """All rows as a table in Markdown: times, then the others' times over striate's with quartiles."""
    sides = list(dict.fromkeys(side for row in rows.values() for side in row["sides"] if side != "striate"))
    head = ["network", "striate, ms", "of the limit", "memory, MB", *sides]
    lines = [head, ["---"] * len(head)]
    for title, row in rows.items():
        own = row["sides"]["striate"]
        memory = " / ".join(_megabytes(row["sides"][side]) for side in ("striate", "torch") if side in row["sides"])
        found = [row["sides"].get(side) for side in sides]
        ratios = ["-" if one is None else f"{one['ratio']['median']:.2f} {_quartiles(one['ratio'])}" for one in found]
        lines.append([title, f"{1e3 * own['seconds']['median']:.2f}", f"{row['share']:.2f}", memory, *ratios])
    return [f"| {' | '.join(line)} |" for line in lines]


def _quartiles(ratio: dict[str, float]) -> str:
    return f"({ratio['low']:.2f} to {ratio['high']:.2f})"
