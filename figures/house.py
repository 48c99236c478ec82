"""Draw the map of the package in CONTRIBUTING.md from its imports: `python -m figures.house`."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

from dcgan_utils.files import write_file

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "dcgan_utils"
PAGE = ROOT / "CONTRIBUTING.md"
BEGIN, END = "<!-- house -->\n", "<!-- end of house -->"


def files() -> dict[str, list[Path]]:
    """Return the files of each module; the checkers of exercises count as one."""
    modules = {path.stem: [path] for path in sorted(PACKAGE.glob("[!_]*.py"))}
    modules["__main__"] = [PACKAGE / "__main__.py"]
    return modules | {"exercises": sorted((PACKAGE / "exercises").glob("*.py"))}


def imported_by(path: Path, at_once: bool) -> set[str]:
    """Return the modules of the package that a file imports: at once, or also in its functions."""
    depth, found = len(path.relative_to(PACKAGE).parts), set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in tree.body if at_once else ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level == depth:
            names = [node.module] if node.module else [alias.name for alias in node.names]
            found |= {name.split(".")[0] for name in names}
    return found


def imports(at_once: bool = False) -> dict[str, list[str]]:
    """Return for each module those that it imports from."""
    return {
        name: sorted(set().union(*(imported_by(path, at_once) for path in paths)))
        for name, paths in files().items()
    }


def in_order() -> list[str]:
    """Return the modules, each after those that it imports at once.

    Raises
    ------
    graphlib.CycleError
        If modules import each other in a circle.
    """
    return list(TopologicalSorter(imports(at_once=True)).static_order())


def meaning(path: Path) -> str:
    """Return the first sentence of a module's docstring."""
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return text.split("\n\n")[0].replace("\n", " ").rstrip(".")


def drawn() -> str:
    """Return the map: a table of the modules in the order of their imports."""
    all_imports = imports()
    lines = ["| module | what is in it | imports |", "|---|---|---|"]
    for name in in_order():
        first = files()[name][0]  # of the checkers' folder, its `__init__.py`
        label = first.name if first.parent == PACKAGE else f"{name}/"
        link = f"[{label}](dcgan_utils/{label.rstrip('/')})"
        lines.append(f"| {link} | {meaning(first)} | {', '.join(all_imports[name]) or '-'} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write the map into its place."""
    page = PAGE.read_text(encoding="utf-8")
    before, rest = page.split(BEGIN)
    write_file(PAGE, f"{before}{BEGIN}{drawn()}{END}{rest.split(END)[1]}".encode())


if __name__ == "__main__":
    main()
