"""Tables of what D's features are good for and where it looks; `experiments.tables` takes them."""

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence

from .tables import markdown

Row = Mapping[str, str]
COUNTS = ("100", "1000", "10000", "60000")  # labels
KINDS = {  # as they are called in features.csv: the cells that name the row with all counts
    "pixels": {},
    "principal components": {},
    "k-means": {},
    "untrained D": {"layers": "123"},
    "D": {"layers": "123", "step": "4200"},
    "supervised CNN": {},
}
PLACES = {  # of a square, in looking.csv: in words
    "raises": "blackening raises the logit most",
    "raises, control": "its control",
    "lowers": "blackening lowers the logit most",
    "lowers, control": "its control",
}


def made_on(row: Row) -> str:
    """Return what a row was made on: only rows that agree in it share a table."""
    return f"{row['device']}, torch {row['torch']}"


def of_one_machine(rows: Sequence[Row]) -> list[Row]:
    """Return the rows of the machine that has made the most."""
    most = Counter(map(made_on, rows)).most_common(1)[0][0]
    return [row for row in rows if made_on(row) == most]


def select(rows: Sequence[Row], **wanted: str) -> list[Row]:
    """Return the rows that have all these values."""
    return [row for row in rows if all(row[key] == value for key, value in wanted.items())]


def spread(rows: Sequence[Row], key: str, factor: float = 1, form: str = ".1f") -> str:
    """Return mean and extremes of one column, such as "5.1 (4.2 to 5.9)"."""
    values = [factor * float(row[key]) for row in rows]
    if not values:
        return ""
    mean, low, high = statistics.mean(values), min(values), max(values)
    return f"{mean:{form}} ({low:{form}} to {high:{form}})"


def features_table(rows: Sequence[Row]) -> str:
    """Return the errors with few labels and with many."""
    lines = [["features", *(f"{int(count):,} labels" for count in COUNTS)]]
    for kind, cells in KINDS.items():
        own = select(rows, features=kind, **cells)
        errors = (spread(select(own, labels=count), "error", 100) for count in COUNTS)
        lines.append([kind, *(f"{error}%" for error in errors)])
    return markdown(lines)


def course_table(rows: Sequence[Row]) -> str:
    """Return the errors with 1,000 labels of each layer, and of D on its way."""
    lines = [["D", "layers", "steps", "D(x)", "D(G(z))", "error"]]
    few = [row for row in select(rows, labels="1000") if row["layers"]]
    places = {(row["features"], row["layers"], row["step"]): None for row in few}
    for name, layers, step in places:
        own = select(few, features=name, layers=layers, step=step)
        says = [spread(own, key, form=".2f") if own[0][key] else "" for key in ("d_real", "d_fake")]
        which = "all" if layers == "123" else layers
        lines.append([name, which, f"{int(step):,}", *says, spread(own, "error", 100) + "%"])
    return markdown(lines)


def verdicts_table(rows: Sequence[Row]) -> str:
    """Return D's mean logit of each kind of images, in each mode, and the order of images."""
    lines = [["images", "as stored", "settled", "in batches", "above a held-out digit (settled)"]]
    for kind in dict.fromkeys(row["kind"] for row in rows):
        own = select(rows, kind=kind)
        modes = [select(own, mode=mode) for mode in ("as stored", "settled", "in batches")]
        above = f"{spread(modes[1], 'above', 100, '.0f')}%"
        lines.append([kind, *(spread(mode, "mean") for mode in modes), above])
    return markdown(lines)


def looking_table(rows: Sequence[Row]) -> str:
    """Return what it does to the logit to exchange a square; means over images, then seeds."""
    lines = [["images", "square", "for the most similar real one", "for a generated one"]]
    own = select(rows, measure="exchange")
    for images, name in (("G", "samples"), ("held-out", "held-out digits")):
        for place, words in PLACES.items():
            pieces = [
                select(own, at=f"{images}, {place}, {kind}") for kind in ("real", "generated")
            ]
            changes = (spread(piece, "mean", form="+.2f") for piece in pieces)
            lines.append([name, words, *changes])
    return markdown(lines)


def alike_table(rows: Sequence[Row]) -> str:
    """Return how like gradient maps stay when convolutions become random from the top."""
    lines = [["gradient", *(f"{count} of 4 random" for count in range(1, 5))]]
    for name in ("plain", "guided"):
        own = [select(rows, at=f"{name}, {count} random") for count in range(1, 5)]
        lines.append([name, *(spread(part, "mean", form=".2f") for part in own)])
    return markdown(lines)


def tables(
    features: Sequence[Row], verdicts: Sequence[Row], looking: Sequence[Row]
) -> dict[str, str]:
    """Return all tables by name, each under its machine; none if there are no rows."""
    made = {
        "features": (features_table, features),
        "features_course": (course_table, features),
        "verdicts": (verdicts_table, verdicts),
        "looking": (looking_table, looking),
        "maps_alike": (alike_table, looking),
    }
    result = {}
    for name, (draw, rows) in made.items():
        parts = []
        for machine in dict.fromkeys(map(made_on, rows)):
            own = [row for row in rows if made_on(row) == machine]
            seeds = len({row["seed"] for row in own})
            parts.append(f"MNIST, {machine}, {seeds} seeds:\n\n{draw(own)}")
        result[name] = "\n\n".join(parts)
    return result
