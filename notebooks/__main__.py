"""Open the course in JupyterLab, with a copy of each notebook that is the reader's own.

    python -m notebooks            makes the copies that are missing and opens the start page;
                                   options of `jupyter lab`, such as --no-browser, may follow
    python -m notebooks anew 05    puts your copy of 05 aside and begins with a fresh one
    python -m notebooks changes    what an update of the course changed since you began

JupyterLab saves a notebook again and again, outputs included. So the course is read in
`my_notebooks/`, which git ignores and which nothing here overwrites. With DCGAN_LANGUAGE=zh it is
the Chinese course, whose copies are in `my_notebooks/zh`.
"""

import difflib
import json
import os
import re
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ENGLISH = (ROOT / "notebooks", ROOT / "my_notebooks")  # the course; the reader's copies
LANGUAGE = os.environ.get("DCGAN_LANGUAGE", "en")
TRANSLATED = (ENGLISH[0] / LANGUAGE).is_dir()
COURSE, MINE = (folder / LANGUAGE if TRANSLATED else folder for folder in ENGLISH)
BEGUN = ".begun"  # in the readers' folder: each notebook as it was when their copy was made
START = "START.md"


def copy_missing(course: Path = COURSE, mine: Path = MINE) -> None:
    """Copy each notebook that the reader has not got yet; leave all others as they are."""
    (mine / BEGUN).mkdir(parents=True, exist_ok=True)
    for notebook in sorted(course.glob("*.ipynb")):
        if not (mine / notebook.name).exists():
            shutil.copyfile(notebook, mine / BEGUN / notebook.name)
            shutil.copyfile(notebook, mine / notebook.name)


def begin_anew(number: str, course: Path = COURSE, mine: Path = MINE) -> Path:
    """Put the reader's copy of a notebook aside and make a fresh one; return the old one's place.

    Raises
    ------
    SystemExit
        If there is no such notebook.
    """
    names = [path.name for path in sorted(course.glob("*.ipynb"))]
    if not (found := [name for name in names if name.startswith(f"{number}_")]):
        numbers = ", ".join(name[:2] for name in names)
        raise SystemExit(f"There is no notebook {number!r}; allowed: {numbers}.")
    copy, count = mine / found[0], 1
    while (aside := copy.with_stem(f"{copy.stem}-old-{count}")).exists():
        count += 1
    if copy.exists():
        copy.rename(aside)
    copy_missing(course, mine)
    return aside


def text_of(notebook: Path) -> list[str]:
    """Return the lines of all cells, without outputs."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return [line for cell in cells for line in "".join(cell["source"]).splitlines()]


def changes(course: Path = COURSE, mine: Path = MINE) -> dict[str, list[str]]:
    """Return, for each notebook that the course changed since the reader began, the lines."""
    found = {}
    for begun in sorted((mine / BEGUN).glob("*.ipynb")):
        if (course / begun.name).exists():
            now = text_of(course / begun.name)
            lines = difflib.unified_diff(text_of(begun), now, "when you began", "now", lineterm="")
            if told := list(lines):
                found[begun.name] = told
    return found


def start_page(readme: str, template: str, folder: str = "notebooks/") -> str:
    """Return the start page: a template with the README's map of the notebooks, linked anew.

    `folder` is where the README has the notebooks whose copies lie beside the page.
    """
    up = "../" * folder.count("/")
    course_map = next(part for part in readme.split("\n## ") if "| [00 " in part)
    course_map = re.sub(rf"\]\((?!http|{folder})", f"]({up}", course_map.partition("\n")[2].strip())
    course_map = course_map.replace(f"]({folder}", "](").replace(f"]({up}notebooks/", "](../")
    return template.replace("COURSE_MAP", course_map)


def open_lab(options: list[str]) -> None:
    """Make what is missing and open JupyterLab at the start page, with the project as its root."""
    copy_missing(*ENGLISH)  # a translation leads on to notebooks that have none
    copy_missing(COURSE, MINE)
    readme = next(ROOT.glob(f"README.{LANGUAGE}*.md" if TRANSLATED else "README.md"))
    folder = COURSE.relative_to(ROOT).as_posix() + "/"
    page = start_page(readme.read_text("utf-8"), (COURSE / START).read_text("utf-8"), folder)
    (MINE / START).write_text(page, "utf-8")
    for name in changes():
        print(f"The course has changed {name} since you began it: make changes")
    for name in ("JUPYTER_CONFIG_PATH", "JUPYTER_PATH"):  # settings; extensions, templates
        paths = [str(ENGLISH[0] / "jupyter"), os.environ.get(name, "")]
        os.environ[name] = os.pathsep.join(filter(None, paths))
    os.environ.setdefault("PYTHONSTARTUP", str(ENGLISH[0] / "alt_texts.py"))  # of each kernel
    from jupyterlab.labapp import LabApp

    place = f"/lab/tree/{MINE.relative_to(ROOT).as_posix()}/{START}"
    LabApp.launch_instance(
        [f"--ServerApp.root_dir={ROOT}", f"--LabApp.default_url={place}", *options]
    )


def main(arguments: list[str]) -> None:
    """Do what the command line asks."""
    if arguments[:1] == ["anew"] and len(arguments) == 2:
        aside = begin_anew(arguments[1])
        fresh = f"A fresh copy is in {MINE.relative_to(ROOT).as_posix()}/."
        print(fresh + f" Yours is now {aside.name}." * aside.exists())
    elif arguments == ["changes"]:
        for name, lines in changes().items():
            print(name, *lines, f"To begin it anew: make anew NOTEBOOK={name[:2]}\n", sep="\n")
        if not changes():
            print("The course has not changed since you began.")
    elif all(argument.startswith("-") for argument in arguments):
        open_lab(arguments)
    else:
        raise SystemExit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
