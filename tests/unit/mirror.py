"""A small MNIST and a web server for it on this machine, which can misbehave as real ones do."""

import contextlib
import gzip
import hashlib
import struct
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
from torchvision import datasets

TRAIN, TEST = 150, 10  # images
NOBODY = "http://127.0.0.1:1/"  # a port at which nobody listens


def idx_files(prefix: str = "", test: str = "t10k") -> dict[str, bytes]:
    """Return the four files of a set in MNIST's form, by name."""
    random, files = np.random.default_rng(0), {}
    for part, count in (("train", TRAIN), (test, TEST)):
        pixels = random.integers(0, 256, count * 28 * 28, dtype=np.uint8).tobytes()
        labels = random.integers(0, 10, count, dtype=np.uint8).tobytes()
        head = struct.pack(">4i", 2051, count, 28, 28)
        files[f"{prefix}{part}-images-idx3-ubyte"] = head + pixels
        files[f"{prefix}{part}-labels-idx1-ubyte"] = struct.pack(">2i", 2049, count) + labels
    return files


UNPACKED = idx_files()
ARCHIVES = {f"{name}.gz": gzip.compress(content, mtime=0) for name, content in UNPACKED.items()}


def replace_mnist(monkeypatch, *mirrors: str) -> None:
    """Let torchvision take the small MNIST for the real one, to be had at these mirrors."""
    resources = [(name, hashlib.md5(data).hexdigest()) for name, data in ARCHIVES.items()]
    monkeypatch.setattr(datasets.MNIST, "resources", resources)
    monkeypatch.setattr(datasets.MNIST, "mirrors", list(mirrors))


class Mirror(ThreadingHTTPServer):
    """Serve files by name while the `with` block runs.

    `behavior` is "complete", "truncated" (half of each file, then the end) or "stalled" (half of
    each file, then silence).
    """

    daemon_threads, block_on_close = True, False

    def __init__(self, files: dict[str, bytes], behavior: str = "complete"):
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}/"
        self.files, self.behavior, self.requests = files, behavior, []
        self.over = threading.Event()

    def __enter__(self) -> "Mirror":
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_) -> None:
        self.over.set()
        self.shutdown()
        self.server_close()


class Handler(BaseHTTPRequestHandler):
    """Answer one request to a `Mirror`."""

    def do_GET(self) -> None:
        mirror, name = self.server, self.path.lstrip("/")
        mirror.requests.append(name)
        if name not in mirror.files:
            self.send_error(404)
        else:
            body = mirror.files[name]
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if mirror.behavior in ("truncated", "stalled"):
                body = body[: len(body) // 2]
            with contextlib.suppress(OSError):  # nobody reads any more
                self.wfile.write(body)
            if mirror.behavior == "stalled":
                mirror.over.wait(60)

    def log_message(self, *_) -> None:
        pass


def put(root: Path, files: dict[str, bytes] = UNPACKED, dataset: str = "MNIST") -> None:
    """Put files where a data set lies below a data root."""
    raw = root / dataset / "raw"
    raw.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (raw / name).write_bytes(content)
