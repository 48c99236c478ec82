"""MNIST where it lies, and its download from mirrors good and bad."""

import dataclasses
import gzip
import os
import signal
import socket
import subprocess
import sys
import time
import unittest.mock
from pathlib import Path

import mirror as mirrors
import numpy as np
import pytest
import torch
from mirror import ARCHIVES, EXPECTED, UNPACKED, Mirror, at
from torchvision import datasets

from dcgan_utils.config import Config, UserError
from dcgan_utils.data import SOURCES, Images, idx_source, load_images, load_source
from dcgan_utils.data.sources import MNIST

REAL_ROOT = os.environ.get("DCGAN_DATA")
REAL_MIRROR = os.environ.get("DCGAN_MIRROR")


pytestmark = pytest.mark.usefixtures("root")


def load_mnist(files, notice=print, **settings) -> Images:
    """Load MNIST as a run does, with other files in its place."""
    with unittest.mock.patch.dict(SOURCES, mnist=idx_source(files, "0123456789", digits=True)):
        return load_images(Config(**{"data": "mnist", **settings}), notice)


def assert_small_mnist(images: Images) -> None:
    """The training part alone: no run may see a test digit."""
    pixels = np.frombuffer(UNPACKED["train-images-idx3-ubyte"][16:], np.uint8)
    pixels = pixels.reshape(mirrors.TRAIN, 1, 28, 28)
    assert np.array_equal(images.pixels[..., 2:-2, 2:-2].numpy(), pixels)
    assert (images.source, images.repeats) == ("MNIST", 1)


def assert_only_whole_files(root: Path) -> None:
    """The four files and nothing else: no half file, no temporary folder."""
    raw = root / "MNIST" / "raw"
    assert {path.name: path.read_bytes() for path in raw.iterdir()} == UNPACKED


# --- MNIST where it lies -------------------------------------------------------------------------


def test_mnist_in_place_needs_no_network(root):
    mirrors.put(root)
    with Mirror(ARCHIVES) as mirror:
        assert_small_mnist(load_mnist(at(EXPECTED, mirror.url)))
        assert mirror.requests == []


def test_read_only_root_works(root):
    raw = mirrors.put(root)
    folders = (raw, raw.parent, root)
    try:
        for folder in folders:
            folder.chmod(0o555)
        before = sorted(path.stat().st_mtime_ns for path in root.rglob("*"))
        assert_small_mnist(load_mnist(at(EXPECTED)))
        assert before == sorted(path.stat().st_mtime_ns for path in root.rglob("*"))
    finally:
        for folder in folders:
            folder.chmod(0o755)


@pytest.mark.parametrize("name", UNPACKED)
@pytest.mark.parametrize("kind", ["truncated", "altered"])
@pytest.mark.parametrize("source", ["auto", "mnist"])
def test_damaged_file_is_named(root, name, kind, source):
    content = UNPACKED[name]
    damaged = content[:-1] if kind == "truncated" else content[:-1] + bytes([content[-1] ^ 1])
    mirrors.put(root, UNPACKED | {name: damaged})
    wrong = f"{len(damaged):,} bytes instead of" if kind == "truncated" else "SHA-256"
    with pytest.raises(UserError, match=f"{name}.*{wrong}.*Delete it"):
        load_mnist(at(EXPECTED), data=source)


@pytest.mark.data
@pytest.mark.skipif(not REAL_ROOT, reason="DCGAN_DATA names no data root with the real MNIST")
def test_the_real_mnist(monkeypatch):
    monkeypatch.setenv("DCGAN_DATA", REAL_ROOT)
    if not SOURCES["mnist"].is_here():
        pytest.skip("no MNIST in DCGAN_DATA")
    images = load_source("mnist")
    train = images.pixels[:60000].float() / 255
    assert images.pixels.shape == (70000, 1, 28, 28) and images.held_out == 10000
    assert train.mean().item() == pytest.approx(0.1307, abs=5e-5)  # published figures
    assert train.std().item() == pytest.approx(0.3081, abs=5e-5)
    theirs = [datasets.MNIST(REAL_ROOT, train=part).targets for part in (True, False)]
    assert torch.equal(images.labels, torch.cat(theirs))


# --- The download --------------------------------------------------------------------------------


def test_download_from_a_complete_mirror(root, capfd):
    with Mirror(ARCHIVES) as mirror:
        assert_small_mnist(load_mnist(at(EXPECTED, mirror.url)))
    assert_only_whole_files(root)
    assert "100%" in capfd.readouterr().err, "a progress bar"


BAD = {
    "truncated": "incomplete or altered",
    "altered": "incomplete or altered",
    "forbidden": "403",
    "silent": "silent for 1 s",
    "stalled": "silent for 1 s",
    "refused": "refused",
    "endless": "bytes arrived for",
}


@pytest.mark.slow
@pytest.mark.parametrize("behavior", BAD)
def test_bad_mirror_then_a_good_one(root, behavior):
    with Mirror(ARCHIVES, behavior) as bad, Mirror(ARCHIVES) as good:
        url = mirrors.closed_port() if behavior == "refused" else bad.url
        assert_small_mnist(load_mnist(at(EXPECTED, url, good.url)))
    assert_only_whole_files(root)


@pytest.mark.slow
@pytest.mark.parametrize("behavior", BAD)
def test_bad_mirrors_only(root, behavior):
    with Mirror(ARCHIVES, behavior) as bad:
        url = mirrors.closed_port() if behavior == "refused" else bad.url
        with pytest.raises(UserError, match=f"{url}: .*{BAD[behavior]}.*; {url}: .*put its four"):
            load_mnist(at(EXPECTED, url, url))
    assert list((root / "MNIST" / "raw").iterdir()) == []


def test_packet_swallowing_network_is_given_up_after_the_patience_of_all_mirrors_together():
    assert MNIST.patience <= 10, "seconds; a student waits for it"
    silent = (Mirror({}, "silent"), Mirror({}, "silent"))
    with silent[0] as first, silent[1] as second, pytest.raises(UserError) as caught:
        load_mnist(at(EXPECTED, first.url, second.url, patience=1))
    assert str(caught.value).count("silent for 0.5 s") == 2
    assert len(first.requests) == len(second.requests) == 1, "no second try"


def test_an_endless_answer_is_ended_at_the_size_of_the_largest_archive(root, capfd):
    """And the embedded digits serve, in a notice that starts on a line of its own."""
    with Mirror(ARCHIVES, "endless") as endless:
        mnist = at(EXPECTED, endless.url)
        images = load_mnist(mnist, lambda text: print(text, file=sys.stderr), data="auto")
    assert images.source == "embedded digits"
    assert endless.sent < EXPECTED.largest + 2**24, "and what lies in the sockets' buffers"
    *_, notice = capfd.readouterr().err.splitlines()
    assert notice.startswith("MNIST is not in") and "bytes arrived for train-images" in notice
    assert list((root / "MNIST" / "raw").iterdir()) == []


@pytest.mark.data
@pytest.mark.skipif(not REAL_MIRROR, reason="DCGAN_MIRROR names no folder of MNIST's originals")
def test_the_largest_original_is_as_large_as_is_said():
    assert MNIST.largest == max(path.stat().st_size for path in Path(REAL_MIRROR).glob("*.gz"))


def test_missing_network_is_not_tried_twice():
    with pytest.raises(UserError, match="could not be downloaded") as caught:
        load_mnist(at(EXPECTED, mirrors.closed_port(), "http://no-such-host.invalid/"))
    assert "silent" not in str(caught.value), "a refusal is not waited for"


def test_the_limit_on_silence_is_the_downloads_own():
    with Mirror(ARCHIVES) as mirror:
        load_mnist(at(EXPECTED, mirror.url))
    assert socket.getdefaulttimeout() is None


def test_files_that_unpack_to_something_else_are_refused(root):
    wrong = {name: (size, "0" * 64) for name, (size, _) in EXPECTED.checksums.items()}
    with Mirror(ARCHIVES) as mirror, pytest.raises(UserError, match="SHA-256"):
        load_mnist(dataclasses.replace(at(EXPECTED, mirror.url), checksums=wrong))
    assert list((root / "MNIST" / "raw").iterdir()) == []


def test_own_mirror_comes_first(monkeypatch):
    with Mirror(ARCHIVES) as own, Mirror(ARCHIVES) as public:
        monkeypatch.setenv("DCGAN_MNIST_MIRROR", own.url.rstrip("/"))
        assert_small_mnist(load_mnist(at(EXPECTED, public.url)))
        assert own.requests and not public.requests


def test_a_missing_file_is_downloaded_again(root):
    raw = mirrors.put(root)
    (raw / "t10k-labels-idx1-ubyte").unlink()
    with Mirror(ARCHIVES) as mirror:
        assert_small_mnist(load_mnist(at(EXPECTED, mirror.url)))
    assert_only_whole_files(root)


def test_archives_in_place_are_unpacked_without_a_network(root):
    mirrors.put(root, ARCHIVES)
    assert_small_mnist(load_mnist(at(EXPECTED, mirrors.closed_port())))


def test_download_into_a_root_that_cannot_be_written_to(root):
    root.write_text("a file stands where the folder would be")  # stops root, unlike chmod
    with Mirror(ARCHIVES) as mirror:
        mnist = at(EXPECTED, mirror.url)
        with pytest.raises(UserError, match="can't be written to"):
            load_mnist(mnist)
        notices = []
        assert load_mnist(mnist, notices.append, data="auto").source == "embedded digits"
        assert len(notices) == 1 and "can't be written to" in notices[0]


LOADER = """
import sys
sys.path.insert(0, sys.argv[1])
import torchvision
from mirror import EXPECTED, at
from dcgan_utils.data.idx import load_idx
print("ready", flush=True)
sys.stdin.readline()
print(len(load_idx(at(EXPECTED, sys.argv[2], patience=30), "0123456789").split()[0]))
"""


def start_loader(url: str) -> subprocess.Popen:
    """Start a process that is ready to load the small MNIST, and waits for a line of input."""
    here = Path(__file__).parent
    return subprocess.Popen(
        [sys.executable, "-c", LOADER, str(here), url],
        cwd=here.parent,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
def test_two_processes_at_once(root):
    with Mirror(ARCHIVES, "slow") as mirror:
        processes = [start_loader(mirror.url) for _ in range(2)]
        assert [process.stdout.readline() for process in processes] == ["ready\n"] * 2
        for process in processes:
            process.stdin.write("\n")
            process.stdin.flush()
        answers = [process.communicate(timeout=30)[0] for process in processes]
    assert answers == [f"{mirrors.TRAIN}\n"] * 2
    assert len(mirror.requests) == 8, "both downloaded each of the four files"
    assert_only_whole_files(root)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has no SIGKILL")
def test_killed_download_leaves_no_half_file(root):
    raw = root / "MNIST" / "raw"
    with Mirror(ARCHIVES, "stalled") as mirror:
        process = start_loader(mirror.url)
        process.stdin.write("\n")
        process.stdin.flush()
        deadline = time.monotonic() + 30
        while not any(path.stat().st_size for path in raw.rglob("*.gz")):
            assert time.monotonic() < deadline and process.poll() is None
            time.sleep(0.05)
        process.kill()
        process.communicate()
    (left,) = raw.iterdir()
    assert left.is_dir(), "a temporary folder, and no file of MNIST"
    young = raw / f"{left.name}-of-a-living-process"
    young.mkdir()
    os.utime(left, (time.time() - 7200,) * 2)
    with Mirror(ARCHIVES) as mirror:
        assert_small_mnist(load_mnist(at(EXPECTED, mirror.url)))
    assert young.exists() and not left.exists()
    young.rmdir()
    assert_only_whole_files(root)


@pytest.mark.data
@pytest.mark.skipif(not REAL_MIRROR, reason="DCGAN_MIRROR names no folder of MNIST's originals")
def test_the_originals_through_a_mirror(root):
    originals = {path.name: path.read_bytes() for path in Path(REAL_MIRROR).glob("*.gz")}
    with Mirror(originals) as mirror:
        mnist = at(MNIST, mirror.url, patience=10)
        assert load_mnist(mnist).pixels.shape == (60000, 1, 32, 32)
    unpacked = gzip.decompress(originals["t10k-images-idx3-ubyte.gz"])
    assert (root / "MNIST" / "raw" / "t10k-images-idx3-ubyte").read_bytes() == unpacked
