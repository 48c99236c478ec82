"""Sphinx's settings for the site, which `make site` builds from the pages as they are stored."""

import json
import os
import re
import sys
from pathlib import Path

import mathjax

HERE = Path(__file__).parent
ROOT = HERE.parent
sys.path[:0] = [str(ROOT), str(HERE)]

project = "DCGAN, from its parts to handwritten digits"
html_title = "The DCGAN course"
copyright = "the authors of the DCGAN course"
extensions = ["myst_nb", "sphinx.ext.mathjax"]
root_doc = "README"
include_patterns = ["*.md", "experiments/README.md", "notebooks/*.ipynb", "notebooks/zh/*.ipynb"]
include_patterns += ["site/*.md", "site/zh/*.md"]
exclude_patterns = [".*", "build", "data", "runs"]  # not even looked into
nb_execution_mode = "off"  # outputs are shown as they are stored
nb_render_markdown_format = "myst"  # tables, too
myst_enable_extensions = ["amsmath", "dollarmath", "html_image"]
myst_heading_anchors = 3

html_theme = "furo"
repository = os.environ.get("GITHUB_REPOSITORY", "")  # on GitHub alone pages know their own
html_context = {"repository": repository}
# From the site itself, with its glyphs as outlines, so that it needs no fonts; only the full one
# knows a backslash inside of \text{Loss\_D}.
mathjax_path = "tex-svg-full.js"
mathjax_folder = Path(mathjax.__file__).parent / "static" / "mathjax" / "es5"
html_static_path = ["static", str(mathjax_folder / mathjax_path)]
html_css_files, html_favicon = ["site.css"], "static/seven.svg"
templates_path = ["templates"]
html_copy_source, html_sourcelink_suffix = True, ""  # so that a notebook can be downloaded
html_show_search_summary = False  # which a page opened from a folder may not load
html_show_sphinx = html_use_index = False
pygments_style, pygments_dark_style = "default", "github-dark"

CONTENTS = """

```{toctree}
:hidden:
:caption: In your browser

site/game
site/generator
```

```{toctree}
:hidden:
:caption: 中文

README.zh-CN
```

```{toctree}
:hidden:
:caption: Notebooks
:glob:

notebooks/*
```

```{toctree}
:hidden:
:caption: About the course

TEACHERS
site/compared
RESULTS
experiments/README
CONTRIBUTING
CHANGELOG
```
"""

CHINESE = """

```{toctree}
:hidden:
:caption: 中文
:glob:

notebooks/zh/*
site/zh/*
TEACHERS.zh-CN
```
"""


def prepare(app, docname, source):
    """Give the first page its contents, and Sphinx what notebooks say in JupyterLab's way."""
    here = (ROOT / docname).parent

    def text_if_folder(link):  # the site has no page for it
        return link[1] if (here / link[2]).is_dir() else link[0]

    source[0] = re.sub(r"\[([^]]+)\]\(([\w/]+)\)", text_if_folder, source[0])
    source[0] = source[0].replace("ADDRESS", repository or "ADDRESS")
    source[0] += {root_doc: CONTENTS, "README.zh-CN": CHINESE}.get(docname, "")
    if docname.startswith("notebooks/"):
        notebook = json.loads(source[0])
        for cell in notebook["cells"]:
            metadata = cell["metadata"]
            if metadata.get("jupyter", {}).get("source_hidden"):
                metadata["tags"].append("hide-input")
            for output in cell.get("outputs", []):
                if alt := output.get("metadata", {}).get("image/png", {}).get("alt"):
                    metadata["mystnb"] = {"image": {"alt": alt}}
        source[0] = json.dumps(notebook)


def is_chinese(docname):
    """Return whether a page is Chinese, as its name says."""
    return docname.endswith(".zh-CN") or "/zh/" in docname


def add_switch(app, docname, template, context, doctree):
    """Tell a page its language, and where it is in the other one: or else that one's first page."""
    folder, _, name = docname.rpartition("/")
    if is_chinese(docname):
        context["language"] = "zh-CN"
        others = (docname.replace("/zh/", "/").removesuffix(".zh-CN"), root_doc)
    else:
        others = (f"{folder}/zh/{name}", f"{docname}.zh-CN", "README.zh-CN")
    context["other"] = next(other for other in others if other in app.env.found_docs)


def finish(app, error):
    """Write the networks, let the site open where it lies, and make its downloads small."""
    if not error and app.builder.name == "html":
        import export

        out = Path(app.outdir)
        for path in (out / "_sources").rglob("*.ipynb"):
            notebook = json.loads(path.read_text("utf-8"))
            for cell in notebook["cells"]:
                if cell["cell_type"] == "code":
                    cell["outputs"] = []
            path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", "utf-8")
        export.write(out / "_static" / "weights.js")
        (out / "index.html").write_bytes((out / "README.html").read_bytes())


def setup(app):
    """Join Sphinx where it can be joined."""
    app.connect("source-read", prepare)
    app.connect("html-page-context", add_switch)
    app.connect("build-finished", finish)
