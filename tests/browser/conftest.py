"""A JupyterLab on a copy of the project, and a browser that drives it as a reader does."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 60_000  # milliseconds; a busy machine starts a kernel slowly


@pytest.fixture(scope="session")
def browser():
    """Return Debian's Chromium, or any other that lies on the path, under Playwright."""
    playwright = pytest.importorskip("playwright.sync_api", reason="no Playwright")
    names = ("chromium", "chromium-browser", "google-chrome")
    if not (found := next(filter(None, map(shutil.which, names)), None)):
        pytest.skip("no browser")
    with playwright.sync_playwright() as started:
        chromium = started.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def lab(browser, tmp_path_factory):
    """Return the address and the project of a JupyterLab that `python -m notebooks` started."""
    project = tmp_path_factory.mktemp("lab") / "project"
    shutil.copytree(ROOT / "notebooks", project / "notebooks")
    for page in ROOT.glob("*.md"):
        shutil.copy(page, project)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folders = ("JUPYTER_CONFIG_DIR", "JUPYTERLAB_SETTINGS_DIR", "JUPYTERLAB_WORKSPACES_DIR")
    environment = os.environ | {name: str(project.parent / name) for name in folders}
    environment |= {"PYTHONPATH": str(ROOT), "IPYTHONDIR": str(project.parent / "ipython")}
    options = [f"--port={port}", "--no-browser", "--allow-root", "--IdentityProvider.token="]
    log = (project.parent / "log").open("w")
    command = [sys.executable, "-m", "notebooks", *options]
    server = subprocess.Popen(command, cwd=project, env=environment, stdout=log, stderr=log)
    address = f"http://127.0.0.1:{port}"
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    for _ in range(600):
        assert server.poll() is None, Path(log.name).read_text()
        with contextlib.suppress(OSError):
            direct.open(f"{address}/api", timeout=5).close()
            break
        time.sleep(0.2)
    yield address, project
    server.terminate()
    server.wait()
    log.close()


@pytest.fixture
def page(browser, lab):
    """Return a page of a laptop's size that reaches nothing outside of this machine."""
    context = browser.new_context(viewport={"width": 1366, "height": 768})
    context.route(lambda url: not url.startswith(lab[0]), lambda route: route.abort())
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    yield page
    context.close()


@pytest.fixture
def open_notebook(page, lab):
    """Return a function that writes a notebook, opens it, and waits for its kernel."""

    def opened(name, *cells):
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
        notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
        nbformat.write(notebook, lab[1] / "my_notebooks" / f"{name}.ipynb")
        page.goto(f"{lab[0]}/lab/tree/my_notebooks/{name}.ipynb?reset")
        page.locator(".jp-NotebookPanel:visible .jp-CodeCell").first.wait_for()
        page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()
        return page.locator(".jp-NotebookPanel:visible .jp-CodeCell")

    return opened
