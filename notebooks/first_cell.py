"""Give each notebook the cell that installs the course where it is opened without it, as on Colab.

    python -m notebooks.first_cell [NOTEBOOK ...]      by default, all of the course

It comes below the title. `pip` keeps what is there and new enough, PyTorch included, and its last
line says what it brought. The repository's address is the one in pyproject.toml.
"""

import sys
import tomllib
from pathlib import Path

import nbformat

COURSE = Path(__file__).resolve().parent
PROJECT = tomllib.loads(COURSE.with_name("pyproject.toml").read_text("utf-8"))["project"]
CELL = """\
import importlib.util
import subprocess
import sys

if not importlib.util.find_spec("dcgan_utils"):  # on Colab, say: pip adds what is missing
    course = "{}/archive/main.zip"
    pip = subprocess.check_output([sys.executable, "-m", "pip", "install", course], text=True)
    print(pip.splitlines()[-1])""".format(PROJECT["urls"]["Repository"])


def put_first(notebook: nbformat.NotebookNode) -> None:
    """Make it the first code cell, in place of an earlier one, and number the cells anew."""
    cells = notebook.cells
    cells[:] = [cell for cell in cells if "/archive/main.zip" not in cell.source]
    cells.insert(1, nbformat.v4.new_code_cell(CELL, id="first-cell"))
    code = (cell for cell in cells if cell.cell_type == "code")
    for count, cell in enumerate(code, start=1):
        cell.execution_count = count
        for output in cell.outputs:
            if "execution_count" in output:
                output.execution_count = count


if __name__ == "__main__":
    for path in sys.argv[1:] or sorted(map(str, COURSE.glob("*.ipynb"))):
        notebook = nbformat.read(path, as_version=4)
        put_first(notebook)
        nbformat.write(notebook, path)
