"""Where the images come from: MNIST and its download, the embedded digits, folders; and batches."""

import gzip
import os
import random
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import mirror as mirrors
import numpy as np
import pytest
import torch
from mirror import Mirror, at
from PIL import Image
from torchvision import transforms
from torchvision.datasets import ImageFolder

from dcgan_utils import data
from dcgan_utils.config import Config, UserError
from dcgan_utils.data import Batches, Images, fit_images, load_images, scale, unscale

REAL_ROOT = os.environ.get("DCGAN_DATA")
REAL_MIRROR = os.environ.get("DCGAN_MIRROR")
CPU = torch.device("cpu")
ARCHIVES, UNPACKED, EXPECTED = mirrors.small_mnist()


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    """An empty data root, away from the environment's own, and no proxy before 127.0.0.1."""
    monkeypatch.setenv("DCGAN_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.delenv("DCGAN_MNIST_MIRROR", raising=False)
    return tmp_path / "data"


def put_mnist(root: Path, files: dict[str, bytes] = UNPACKED) -> Path:
    raw = root / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name, content in files.items():
        (raw / name).write_bytes(content)
    return raw


def load_mnist(mnist, **settings) -> Images:
    return load_images(Config(data="mnist", **settings), mnist=mnist)


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


def closed_port() -> str:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{taken.getsockname()[1]}/"


# --- MNIST where it lies -------------------------------------------------------------------------


def test_mnist_in_place_needs_no_network(root):
    put_mnist(root)
    with Mirror(ARCHIVES) as mirror:
        assert_small_mnist(load_mnist(at(EXPECTED, mirror.url)))
        assert mirror.requests == []


def test_read_only_root_works(root):
    raw = put_mnist(root)
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
    put_mnist(root, UNPACKED | {name: damaged})
    wrong = f"{len(damaged):,} bytes instead of" if kind == "truncated" else "SHA-256"
    with pytest.raises(UserError, match=f"{name}.*{wrong}.*Delete it"):
        load_images(Config(data=source), mnist=at(EXPECTED))


@pytest.mark.skipif(not REAL_ROOT, reason="DCGAN_DATA names no data root with the real MNIST")
def test_the_real_mnist(monkeypatch):
    monkeypatch.setenv("DCGAN_DATA", REAL_ROOT)
    if not (data.data_root() / "MNIST" / "raw" / "train-images-idx3-ubyte").is_file():
        pytest.skip("no MNIST in DCGAN_DATA")
    images = data.base_images("mnist", mnist=data.dataclasses.replace(data.MNIST, mirrors=[]))
    train = images.pixels[:60000].float() / 255
    assert images.pixels.shape == (70000, 1, 28, 28) and images.held_out == 10000
    assert train.mean().item() == pytest.approx(0.1307, abs=5e-5)  # published figures
    assert train.std().item() == pytest.approx(0.3081, abs=5e-5)


# --- The download --------------------------------------------------------------------------------


def test_download_from_a_complete_mirror(root, capfd):
    with Mirror(ARCHIVES) as mirror:
        assert_small_mnist(load_mnist(at(EXPECTED, mirror.url)))
    assert_only_whole_files(root)
    assert "100%" in capfd.readouterr().err, "a progress bar"


BAD = {
    "truncated": "corrupted",
    "altered": "corrupted",
    "forbidden": "403",
    "silent": "silent for 1 s",
    "stalled": "silent for 1 s",
    "refused": "refused",
}


@pytest.mark.parametrize("behavior", BAD)
def test_bad_mirror_then_a_good_one(root, behavior):
    with Mirror(ARCHIVES, behavior) as bad, Mirror(ARCHIVES) as good:
        url = closed_port() if behavior == "refused" else bad.url
        assert_small_mnist(load_mnist(at(EXPECTED, url, good.url)))
    assert_only_whole_files(root)


@pytest.mark.parametrize("behavior", BAD)
def test_bad_mirrors_only(root, behavior):
    with Mirror(ARCHIVES, behavior) as bad:
        url = closed_port() if behavior == "refused" else bad.url
        with pytest.raises(UserError, match=f"{url}: .*{BAD[behavior]}.*; {url}: .*put its four"):
            load_mnist(at(EXPECTED, url, url))
    assert list((root / "MNIST" / "raw").iterdir()) == []


def test_packet_swallowing_network_delays_15_seconds_at_most():
    patience = data.MNIST.patience
    with Mirror({}, "silent") as first, Mirror({}, "silent") as second:
        start = time.monotonic()
        with pytest.raises(UserError, match="silent"):
            load_mnist(at(EXPECTED, first.url, second.url, patience=patience))
        assert time.monotonic() - start < 15


def test_missing_network_does_not_delay():
    mnist = at(EXPECTED, closed_port(), "http://no-such-host.invalid/", patience=10)
    start = time.monotonic()
    with pytest.raises(UserError, match="could not be downloaded"):
        load_mnist(mnist)
    assert time.monotonic() - start < 4


def test_files_that_unpack_to_something_else_are_refused(root):
    wrong = {name: (size, "0" * 64) for name, (size, _) in EXPECTED.unpacked.items()}
    with Mirror(ARCHIVES) as mirror, pytest.raises(UserError, match="SHA-256"):
        load_mnist(data.dataclasses.replace(EXPECTED, unpacked=wrong, mirrors=[mirror.url]))
    assert list((root / "MNIST" / "raw").iterdir()) == []


def test_own_mirror_comes_first(monkeypatch):
    with Mirror(ARCHIVES) as own, Mirror(ARCHIVES) as public:
        monkeypatch.setenv("DCGAN_MNIST_MIRROR", own.url.rstrip("/"))
        assert_small_mnist(load_mnist(at(EXPECTED, public.url)))
        assert own.requests and not public.requests


def test_a_missing_file_is_downloaded_again(root):
    raw = put_mnist(root)
    (raw / "t10k-labels-idx1-ubyte").unlink()
    with Mirror(ARCHIVES) as mirror:
        assert_small_mnist(load_mnist(at(EXPECTED, mirror.url)))
    assert_only_whole_files(root)


def test_archives_in_place_are_unpacked_without_a_network(root):
    put_mnist(root, ARCHIVES)
    assert_small_mnist(load_mnist(at(EXPECTED, closed_port())))


def test_download_into_a_root_that_cannot_be_written_to(root):
    root.write_text("a file stands where the folder would be")  # stops root, unlike chmod
    with Mirror(ARCHIVES) as mirror:
        mnist = at(EXPECTED, mirror.url)
        with pytest.raises(UserError, match="can't be written to"):
            load_mnist(mnist)
        notices = []
        assert load_images(Config(), notices.append, mnist).source == "embedded digits"
        assert len(notices) == 1 and "can't be written to" in notices[0]


LOADER = """
import sys
sys.path.insert(0, sys.argv[1])
import torchvision
from mirror import at, small_mnist
from dcgan_utils.config import Config
from dcgan_utils.data import load_images
print("ready", flush=True)
sys.stdin.readline()
mnist = at(small_mnist()[2], sys.argv[2], patience=30)
print(len(load_images(Config(data="mnist"), mnist=mnist).pixels))
"""


def start_loader(url: str) -> subprocess.Popen:
    """Start a process that is ready to load the small MNIST, and waits for a line of input."""
    here = Path(__file__).parent
    return subprocess.Popen(
        [sys.executable, "-c", LOADER, str(here), url],
        cwd=here.parent, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip


def test_two_processes_at_once(root):
    with Mirror(ARCHIVES, "slow") as mirror:
        processes = [start_loader(mirror.url) for _ in range(2)]
        assert [process.stdout.readline() for process in processes] == ["ready\n"] * 2
        for process in processes:
            process.stdin.write("\n")
            process.stdin.flush()
        answers = [process.communicate(timeout=30)[0] for process in processes]
    assert answers == [f"{mirrors.TRAIN}\n"] * 2
    assert len(mirror.requests) == 16, "both downloaded: two requests for each of four files"
    assert_only_whole_files(root)


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


@pytest.mark.skipif(not REAL_MIRROR, reason="DCGAN_MIRROR names no folder of MNIST's originals")
def test_the_originals_through_a_mirror(root):
    originals = {path.name: path.read_bytes() for path in Path(REAL_MIRROR).glob("*.gz")}
    with Mirror(originals) as mirror:
        mnist = data.dataclasses.replace(data.MNIST, mirrors=[mirror.url])
        assert load_mnist(mnist).pixels.shape == (60000, 1, 32, 32)
    unpacked = gzip.decompress(originals["t10k-images-idx3-ubyte.gz"])
    assert (root / "MNIST" / "raw" / "t10k-images-idx3-ubyte").read_bytes() == unpacked


# --- The embedded digits -------------------------------------------------------------------------


def test_auto_falls_back_with_one_notice(root):
    notices = []
    images = load_images(Config(), notices.append, at(EXPECTED, closed_port()))
    assert images.source == "embedded digits"
    (notice,) = notices
    for words in ("1,797", "scikit-learn", "refused", f"put its four files into {root}"):
        assert words in notice


def test_auto_takes_mnist_without_notice(root):
    put_mnist(root)
    notices = []
    assert_small_mnist(load_images(Config(), notices.append, at(EXPECTED)))
    assert notices == []


def test_embedded_digits():
    from sklearn.datasets import load_digits

    notices = []
    images = load_images(Config(data="digits"), notices.append)
    assert notices == []
    assert images.pixels.shape == (1498, 1, 32, 32) and images.pixels.dtype == torch.uint8
    assert images.pixels.amin() == 0 and images.pixels.amax() == 255
    assert 59_000 < 1498 * images.repeats < 61_000, "an epoch as long as MNIST's"
    original = torch.tensor(load_digits().images[:1498]).flatten(1)
    back = transforms.functional.resize(images.pixels[..., 2:-2, 2:-2], [8, 8]).flatten(1)
    both = torch.stack([original, back.double()])
    both = (both - both.mean(2, keepdim=True)) / both.std(2, keepdim=True)
    assert (both[0] * both[1]).mean(1).min() > 0.9, "each is its original, enlarged"


# --- Settings that do not go together ------------------------------------------------------------


@pytest.mark.parametrize("source", ["auto", "mnist", "digits"])
@pytest.mark.parametrize(
    ("settings", "message"),
    [({"channels": 3}, "channels is 3.*gray"), ({"image_size": 16}, "image_size 16.*--fit resize")],
)
def test_unfit_settings_are_refused_before_a_download(source, settings, message):
    with Mirror(ARCHIVES) as mirror:
        with pytest.raises(UserError, match=message):
            load_images(Config(data=source, **settings), mnist=at(EXPECTED, mirror.url))
        assert mirror.requests == []


def test_data_root(monkeypatch, tmp_path):
    assert data.data_root() == tmp_path / "data"
    monkeypatch.delenv("DCGAN_DATA")
    assert data.data_root() == Path(data.__file__).parents[1] / "data"


# --- Fitting and scaling -------------------------------------------------------------------------


@pytest.mark.parametrize("size", [32, 33, 64])
def test_pad_is_undone_by_cropping(size):
    pixels = torch.randint(1, 256, (5, 1, 28, 28), dtype=torch.uint8)
    padded = fit_images(pixels, size, "pad")
    near = (size - 28) // 2
    assert padded.shape == (5, 1, size, size)
    assert torch.equal(padded[..., near : near + 28, near : near + 28], pixels)
    assert padded.sum() == pixels.sum(), "black all around"


@pytest.mark.parametrize("shape", [(28, 28), (50, 37), (41, 90), (20, 300)])
@pytest.mark.parametrize("size", [16, 32, 64])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_resize_is_torchvisions(shape, size, mode):
    array = np.random.default_rng(1).integers(0, 256, (*shape, 3), dtype=np.uint8)
    image = Image.fromarray(array).convert(mode)
    steps = [transforms.Resize(size), transforms.CenterCrop(size), transforms.PILToTensor()]
    expected = transforms.Compose(steps)(image)
    ours = fit_images(transforms.PILToTensor()(image)[None], size, "resize")[0]
    assert ours.shape == expected.shape and ours.dtype == torch.uint8
    assert (ours.int() - expected.int()).abs().max() <= 1


def test_resize_of_many_images_is_that_of_each():
    pixels = torch.randint(0, 256, (5000, 1, 8, 8), dtype=torch.uint8)  # more than one chunk
    together = fit_images(pixels, 16, "resize")
    for place in (0, 4095, 4096, 4999):
        alone = fit_images(pixels[place : place + 1], 16, "resize")[0]
        assert torch.equal(together[place], alone)


def test_scale_and_unscale():
    levels = torch.arange(256, dtype=torch.uint8)
    scaled = scale(levels)
    assert scaled.dtype == torch.float32
    assert scaled[[0, 255]].tolist() == [-1, 1] and scaled.diff().min() > 0
    assert torch.equal(unscale(scaled), levels)
    assert unscale(torch.tensor([-3.0, -1.0, 0.01, 3.0])).tolist() == [0, 0, 129, 255]


# --- Folders of images ---------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path):
    """Six color images of two classes, of unequal sizes, in a folder called "flowers"."""
    noise = np.random.default_rng(2)
    for number in range(6):
        path = tmp_path / "flowers" / "ab"[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        shape = (40 + 3 * number, 50, 3)
        Image.fromarray(noise.integers(0, 256, shape, dtype=np.uint8)).save(path)
    return tmp_path / "flowers"


def load_folder(folder: Path, **settings) -> Images:
    return load_images(Config(data=str(folder), **{"fit": "resize", **settings}))


def test_folder_is_torchvisions_image_folder(folder):
    images = load_folder(folder)
    steps = [transforms.Resize(32), transforms.CenterCrop(32), transforms.PILToTensor()]
    expected = torch.stack([x for x, _ in ImageFolder(folder, transforms.Compose(steps))])
    assert images.pixels.shape == (6, 3, 32, 32) and images.pixels.dtype == torch.uint8
    assert (images.pixels.int() - expected.int()).abs().max() <= 1
    assert (images.source, images.repeats) == ("flowers", 1)


def test_folder_in_gray(folder):
    gray = load_folder(folder, channels=1).pixels
    assert gray.shape == (6, 1, 32, 32)
    weights = torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)  # ITU-R BT.601, as Pillow's "L"
    color = (load_folder(folder).pixels * weights).sum(1, keepdim=True)
    assert (gray - color).abs().max() < 2


def test_folder_without_class_folders(folder):
    assert torch.equal(load_folder(folder / "a").pixels, load_folder(folder).pixels[:3])


def test_folder_padded(folder):
    padded = load_folder(folder, fit="pad", image_size=64).pixels
    with Image.open(folder / "a" / "0.png") as image:
        expected = transforms.PILToTensor()(image)  # (3, 40, 50)
    assert torch.equal(padded[0, :, 12:52, 7:57], expected)
    with pytest.raises(UserError, match=r"0\.png: .*40x50.*image_size 32.*--fit resize"):
        load_folder(folder, fit="pad", image_size=32)


@pytest.mark.parametrize("damage", ["truncated", "text", "empty"])
def test_damaged_image_is_named(folder, damage):
    path = folder / "b" / "3.png"
    content = {"truncated": path.read_bytes()[:2000], "text": b"hello", "empty": b""}[damage]
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"3\.png can't be read"):
        load_folder(folder)


def test_missing_and_empty_folders(tmp_path):
    with pytest.raises(UserError, match="no folder 'mnits'.*mnist"):
        load_folder(Path("mnits"))
    (tmp_path / "empty" / "inside").mkdir(parents=True)
    with pytest.raises(UserError, match="empty has no images.*Put"):
        load_folder(tmp_path / "empty")


def test_folder_larger_than_half_the_memory(folder, monkeypatch):
    needed = 6 * 3 * 32 * 32
    monkeypatch.setattr(data, "_physical_memory", lambda: 2 * needed)
    load_folder(folder)
    monkeypatch.setattr(data, "_physical_memory", lambda: 2 * needed - 1)
    monkeypatch.setattr(data, "_decode", lambda *_: pytest.fail("loaded before it was refused"))
    with pytest.raises(UserError, match="6 images.*half of this machine's"):
        load_folder(folder)


# --- Batches -------------------------------------------------------------------------------------


def numbered(count: int, repeats: int = 1) -> Images:
    """Images of one pixel each, whose gray level is their number."""
    return Images(torch.arange(count, dtype=torch.uint8).view(-1, 1, 1, 1), "numbers", repeats)


def drawn(batches: Batches, steps: range) -> list[int]:
    return unscale(torch.cat([batches.batch(step) for step in steps])).flatten().tolist()


@pytest.mark.parametrize("repeats", [1, 3])
def test_an_epoch_shows_each_image_once_per_repeat(repeats):
    batches = Batches(numbered(200, repeats), 20, seed=0, device=CPU)
    assert batches.steps_per_epoch == 10 * repeats
    for repeat in range(2 * repeats):  # two epochs
        shown = drawn(batches, range(10 * repeat, 10 * repeat + 10))
        assert sorted(shown) == list(range(200)) and shown != list(range(200))


def test_partial_batch_is_dropped():
    assert Batches(numbered(70), 32, 0, CPU).steps_per_epoch == 2
    assert Batches(numbered(70, repeats=3), 32, 0, CPU).steps_per_epoch == 6
    assert len(drawn(Batches(numbered(70), 32, 0, CPU), range(5))) == 5 * 32


def test_batch_is_scaled_and_of_the_right_shape():
    images = Images(torch.randint(0, 256, (9, 3, 16, 16), dtype=torch.uint8), "noise")
    batch = Batches(images, 4, 0, CPU).batch(0)
    assert batch.shape == (4, 3, 16, 16) and batch.dtype == torch.float32
    assert -1 <= batch.min() < -0.9 and 0.9 < batch.max() <= 1


def test_order_follows_from_seed_and_step_alone():
    in_order = drawn(Batches(numbered(100), 10, 7, CPU), range(40))
    steps = list(range(40))
    random.Random(0).shuffle(steps)
    batches = Batches(numbered(100), 10, 7, CPU)
    for step in steps:
        assert drawn(batches, range(step, step + 1)) == in_order[10 * step : 10 * step + 10]


def test_every_seed_and_epoch_has_its_own_order():
    orders = set()
    for seed in (0, 1, 2, 3, 2**30, 2**31 - 1):
        batches = Batches(numbered(50), 50, seed, CPU)
        orders |= {tuple(drawn(batches, range(epoch, epoch + 1))) for epoch in range(4)}
    assert len(orders) == 24


def test_global_random_state_is_untouched_and_unused():
    torch.manual_seed(0)
    state = torch.get_rng_state()
    first = drawn(Batches(numbered(100), 10, 7, CPU), range(25))
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(1)
    assert drawn(Batches(numbered(100), 10, 7, CPU), range(25)) == first


def test_batch_larger_than_the_data_is_refused():
    assert Batches(numbered(50), 50, 0, CPU).steps_per_epoch == 1
    with pytest.raises(UserError, match="batch_size is 51.*allowed: 1 to 50.*smaller"):
        Batches(numbered(50, repeats=39), 51, 0, CPU)
