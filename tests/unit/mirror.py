"""A small MNIST and a web server for it on this machine, which can misbehave as real ones do."""

import dataclasses
import gzip
import hashlib
import socket
import struct
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np

from dcgan_utils.data import IdxFiles

TRAIN, TEST = 150, 10  # images; half of the largest file is more than torchvision reads at once


def small_mnist() -> tuple[dict[str, bytes], dict[str, bytes], IdxFiles]:
    """Return the archives by name, the unpacked files by name, and what they must be."""
    random = np.random.default_rng(0)
    unpacked = {}
    for part, count in (("train", TRAIN), ("t10k", TEST)):
        pixels = random.integers(0, 256, count * 28 * 28, dtype=np.uint8).tobytes()
        labels = random.integers(0, 10, count, dtype=np.uint8).tobytes()
        unpacked[f"{part}-images-idx3-ubyte"] = struct.pack(">4i", 2051, count, 28, 28) + pixels
        unpacked[f"{part}-labels-idx1-ubyte"] = struct.pack(">2i", 2049, count) + labels
    archives = {f"{name}.gz": gzip.compress(content, mtime=0) for name, content in unpacked.items()}
    expected = IdxFiles(
        "MNIST",
        checksums={
            name: (len(data), hashlib.sha256(data).hexdigest()) for name, data in unpacked.items()
        },
        archives=[(name, hashlib.md5(data).hexdigest()) for name, data in archives.items()],
        mirrors=[],
        largest=max(map(len, archives.values())),
    )
    return archives, unpacked, expected


class Mirror:
    """Serve files by name while the `with` block runs.

    `behavior` is "complete", "slow" (0.1 s before each answer), "truncated" (half of each file,
    then the end), "altered" (another last byte), "forbidden" (403), "silent" (accepts, answers
    nothing), "stalled" (half of each file, then silence) or "endless" (each file, then zeros for as
    long as somebody reads, without a length; `sent` counts them).
    """

    def __init__(self, files: dict[str, bytes], behavior: str = "complete"):
        self.requests: list[str] = []
        self.sent = 0
        self._over = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler(files, behavior))
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self.url = f"http://127.0.0.1:{self._server.server_port}/"

    def __enter__(self) -> "Mirror":
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_) -> None:
        self._over.set()
        self._server.shutdown()
        self._server.server_close()

    def _handler(self, files: dict[str, bytes], behavior: str) -> type[BaseHTTPRequestHandler]:
        mirror = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                name = self.path.lstrip("/")
                mirror.requests.append(name)
                if behavior == "silent":
                    mirror._over.wait(60)
                    return
                if behavior == "slow":
                    time.sleep(0.1)
                if behavior == "forbidden" or name not in files:
                    self.send_error(403 if behavior == "forbidden" else 404)
                    return
                self._send(files[name])

            def _send(self, body: bytes) -> None:
                if behavior == "altered":
                    body = body[:-1] + bytes([body[-1] ^ 1])
                self.send_response(200)
                if behavior != "endless":
                    self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                half = behavior in ("truncated", "stalled")
                try:
                    self.wfile.write(body[: len(body) // 2] if half else body)
                    self.wfile.flush()
                    while behavior == "endless" and not mirror._over.wait(0.001):
                        mirror.sent += self.wfile.write(bytes(2**14))
                except OSError:  # nobody reads any more
                    return
                if behavior == "stalled":
                    mirror._over.wait(60)

            def log_message(self, *_) -> None:
                pass

        return Handler


def at(expected: IdxFiles, *mirrors: str, patience: float = 2.0) -> IdxFiles:
    """Return the same files, to be had at these mirrors."""
    return dataclasses.replace(expected, mirrors=mirrors, patience=patience)


ARCHIVES, UNPACKED, EXPECTED = small_mnist()


def put(root: Path, files: dict[str, bytes] = UNPACKED, dataset: str = "MNIST") -> Path:
    """Put files where a data set lies below a data root; return that folder."""
    raw = root / dataset / "raw"
    raw.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (raw / name).write_bytes(content)
    return raw


def closed_port() -> str:
    """Return an address at which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{taken.getsockname()[1]}/"
