"""Draw the house from its imports, into README.md: `python -m figures.house`.

Rooms are the modules and packages of `dcgan_utils`; an arrow leads from a room to one that imports
it. An arrow that other arrows make superfluous is left out, so that the map can be read.
"""

import ast
from collections.abc import Mapping
from pathlib import Path

from dcgan_utils.files import write_file

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "dcgan_utils"
README = ROOT / "README.md"
BEGIN, END = "<!-- house -->\n", "<!-- end of house -->"


def room_of(path: Path) -> str:
    """Return the room that a file of the package belongs to: a folder, or a module."""
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def files() -> dict[str, list[Path]]:
    """Return the files of each room."""
    rooms: dict[str, list[Path]] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        if path != PACKAGE / "__init__.py":
            rooms.setdefault(room_of(path), []).append(path)
    return rooms


def imported_rooms(path: Path) -> set[str]:
    """Return the rooms that a file imports from, its own left out."""
    depth, found = len(path.relative_to(PACKAGE).parts), set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level == depth:
            names = [node.module] if node.module else [alias.name for alias in node.names]
            found |= {name.split(".")[0] for name in names}
    return found - {room_of(path)}


def imports() -> dict[str, set[str]]:
    """Return for each room those that it imports from."""
    return {
        room: set().union(*(imported_rooms(path) for path in paths))
        for room, paths in files().items()
    }


def in_order(graph: Mapping[str, set[str]]) -> list[str]:
    """Return the rooms, each after all that it imports from.

    Raises
    ------
    ValueError
        If rooms import each other in a circle.
    """
    order: list[str] = []
    while len(order) < len(graph):
        ready = sorted(room for room in graph if room not in order and graph[room] <= set(order))
        if not ready:
            raise ValueError(f"circular imports among {sorted(set(graph) - set(order))}")
        order += ready
    return order


def reduced(graph: Mapping[str, set[str]]) -> dict[str, list[str]]:
    """Return the graph without the arrows that follow from others."""
    reach: dict[str, set[str]] = {}
    for room in in_order(graph):
        reach[room] = graph[room].union(*(reach[other] for other in graph[room]))
    return {
        room: sorted(
            other for other in others if not any(other in reach[third] for third in others)
        )
        for room, others in graph.items()
    }


def meaning(room: str) -> str:
    """Return the first sentence of a room's docstring."""
    path = PACKAGE / room / "__init__.py"
    path = path if path.exists() else PACKAGE / f"{room}.py"
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return text.split("\n\n")[0].replace("\n", " ").rstrip(".")


def drawn() -> str:
    """Return the map: a table of the rooms in the order of their imports, and the arrows."""
    graph = imports()
    arrows = reduced(graph)
    lines = ["| room | what is in it | imports |", "|---|---|---|"]
    for room in in_order(graph):
        name = f"{room}/" if (PACKAGE / room).is_dir() else f"{room}.py"
        link = f"[{name}](dcgan_utils/{name.rstrip('/')})"
        others = ", ".join(arrows[room]) or "-"
        lines.append(f"| {link} | {meaning(room)} | {others} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write the map into README.md."""
    page = README.read_text(encoding="utf-8")
    before, rest = page.split(BEGIN)
    write_file(README, f"{before}{BEGIN}{drawn()}{END}{rest.split(END)[1]}".encode())


if __name__ == "__main__":
    main()
