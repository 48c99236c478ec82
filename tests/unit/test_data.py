"""Data: the sources and their download, what "auto" becomes, sizes, channels and batches."""

import gzip
import hashlib
import io
import os
import socket
import zipfile

import mirror
import numpy as np
import pytest
import torch
from mirror import ARCHIVES, NOBODY, UNPACKED, Mirror, idx_files, put, replace_mnist
from PIL import Image
from torchvision import datasets, transforms

from dcgan_utils import data
from dcgan_utils.config import Config, UserError
from dcgan_utils.data import SOURCES, Batches, Images, Source, decide, load_images, load_source

REAL_ROOT = os.environ.get("DCGAN_DATA", "")

pytestmark = pytest.mark.usefixtures("root")


@pytest.fixture(autouse=True)
def impatient(monkeypatch, wait=socket.setdefaulttimeout):
    """Wait for half a second where the program would wait for six."""
    monkeypatch.setattr(socket, "setdefaulttimeout", lambda seconds: wait(seconds and 0.5))


def assert_small_mnist() -> None:
    """All four files are whole, nothing lies beside them, and no run sees a test digit."""
    images = load_images(Config(data="mnist"))
    pixels = np.frombuffer(UNPACKED["train-images-idx3-ubyte"][16:], np.uint8)
    assert np.array_equal(images.pixels[..., 2:-2, 2:-2].numpy().ravel(), pixels)
    assert (images.source, images.repeats, images.classes) == ("MNIST", 1, tuple("0123456789"))
    found = {path.name: path.read_bytes() for path in data.data_root().glob("MNIST/raw/*ubyte")}
    assert found == UNPACKED
    assert [path.name for path in data.data_root().iterdir()] == ["MNIST"]


def test_embedded_digits_are_5000_real_ones_shuffled_and_split():
    images = load_source("embedded")
    assert images.identity == "embedded digits, 5000 images, CRC-32 0b9b6faa", "as in checkpoints"
    learned, held_out = images.split()
    assert (len(learned), len(held_out), learned.repeats) == (4000, 1000, 15)
    assert torch.bincount(held_out.labels).min() > 70


@pytest.mark.data
def test_the_real_mnist_begins_with_all_embedded_digits(monkeypatch):
    monkeypatch.setenv("DCGAN_DATA", REAL_ROOT)
    images = load_source("mnist")
    assert images.identity == "MNIST, 70000 images, CRC-32 eada03f8" and images.held_out == 10_000
    first = {image.numpy().tobytes() for image in images.pixels[:5848]}
    assert all(image.numpy().tobytes() in first for image in load_source("embedded").pixels)


@pytest.mark.parametrize("behavior", ["complete", "truncated"])
def test_own_mirror_is_tried_first_and_a_kill_leaves_whole_files_only(monkeypatch, behavior):
    """Nothing lies in its place until all has arrived; then each file comes whole, in one move."""
    moments = []

    def note(source, target, replace=os.replace):
        moments.append(len(list(target.parent.iterdir())))
        replace(source, target)

    monkeypatch.setattr(os, "replace", note)
    with Mirror(ARCHIVES, behavior) as own, Mirror(ARCHIVES) as public:
        replace_mnist(monkeypatch, public.url)
        monkeypatch.setenv("DCGAN_MNIST_MIRROR", own.url.rstrip("/"))
        assert_small_mnist()
    assert own.requests and (public.requests == []) == (behavior == "complete")
    assert datasets.MNIST.mirrors == [public.url] and socket.getdefaulttimeout() is None
    assert moments == [0, 1, 2, 3]


@pytest.mark.parametrize("behavior", ["stalled", "refused", "no folder"])
def test_no_network_and_no_mnist(monkeypatch, root, behavior):
    """ "auto" takes the embedded digits, and says so once; MNIST by its name gives an error."""
    if behavior == "no folder":
        root.write_text("a file stands where it would be")  # stops root, unlike chmod
    with Mirror(ARCHIVES, behavior) as bad:
        replace_mnist(monkeypatch, NOBODY if behavior == "refused" else bad.url)
        notices = []
        decided = decide(Config(), notices.append)
        assert (decided.data, decided.channels) == ("embedded", 1)
        assert load_images(decided, notices.append).source == "embedded digits"
        with pytest.raises(UserError) as caught:
            load_images(Config(data="mnist"))
    (notice,) = notices
    for text in (notice, str(caught.value)):
        assert f"{root / 'MNIST' / 'raw'} lacks files" in text
    assert not list(root.rglob("*ubyte*")) and socket.getdefaulttimeout() is None


@pytest.mark.parametrize("kept", [UNPACKED, ARCHIVES, dict(list(UNPACKED.items())[1:])])
def test_only_what_is_missing_is_downloaded(monkeypatch, root, kept):
    """Nothing; archives are unpacked where they lie; of four files, the one that lacks."""
    put(root, kept)
    with Mirror(ARCHIVES) as public:
        replace_mnist(monkeypatch, public.url if len(kept) == 3 else NOBODY)
        assert_small_mnist()


@pytest.mark.parametrize("name", ["train-images-idx3-ubyte", "t10k-labels-idx1-ubyte"])
@pytest.mark.parametrize("damage", [lambda b: b[:-1], lambda b: b + b"0", lambda b: b"hi"])
def test_a_damaged_file_ends_in_one_error(monkeypatch, root, name, damage):
    replace_mnist(monkeypatch)
    put(root, UNPACKED | {name: damage(UNPACKED[name])})
    with pytest.raises(UserError, match="MNIST is damaged.*Delete it"):
        load_images(Config())


@pytest.mark.parametrize("name", ["FashionMNIST", "KMNIST", "EMNIST"])
def test_sets_in_mnists_form_are_upright_and_not_digits(root, monkeypatch, name):
    files, stored = UNPACKED, io.BytesIO()
    if name == "EMNIST":  # it comes as one archive, with its images on their side
        files = idx_files("emnist-digits-", "test")
        with zipfile.ZipFile(stored, "w") as archive:
            for file, content in files.items():
                archive.writestr(f"gzip/{file}.gz", gzip.compress(content))
        monkeypatch.setattr(datasets.EMNIST, "md5", hashlib.md5(stored.getvalue()).hexdigest())
    else:
        put(root, files, name)
    with Mirror({"gzip.zip": stored.getvalue()}) as own:
        monkeypatch.setenv("DCGAN_MNIST_MIRROR", own.url)
        images = load_source(name.lower())
    first = np.frombuffer(next(iter(files.values()))[16:], np.uint8)[: 28 * 28].reshape(28, 28)
    assert np.array_equal(images.pixels[0, 0], first.T if name == "EMNIST" else first)
    assert (images.source, images.held_out, len(images.classes)) == (name, mirror.TEST, 10)
    assert not SOURCES[name.lower()].digits


def test_a_color_source_is_one_entry(monkeypatch):
    """Of any size; its channels and its size are its own, stated beforehand or not."""
    pixels = torch.randint(0, 256, (8, 3, 40, 40), dtype=torch.uint8)
    for known in ({}, {"channels": 3, "size": 40}):
        monkeypatch.setitem(SOURCES, "colors", Source(lambda: Images(pixels, "colors"), **known))
        config = decide(Config(data="colors", image_size=64))
        assert config.channels == 3 and decide(config) == config
        with pytest.raises(UserError, match="40x40.*--fit resize"):
            load_images(Config(data="colors"))
    assert torch.equal(load_images(config).pixels[..., 12:52, 12:52], pixels)
    with pytest.raises(UserError, match="28x28.*image_size 16"):
        load_images(Config(image_size=16))  # refused before a download is tried


def test_folders_and_channels_that_are_asked_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = decide(Config(data="photos/cats"))
    assert (folder.data, folder.channels) == (str(tmp_path / "photos" / "cats"), 3)
    assert decide(Config(data="photos/cats", channels=1)).channels == 1
    gray = load_images(Config(data="embedded")).pixels
    color = load_images(Config(data="embedded", channels=3))
    assert torch.equal(color.pixels, gray.expand(-1, 3, -1, -1)) and color.identity
    pixels = torch.randint(0, 256, (50, 3, 32, 32), dtype=torch.uint8)
    monkeypatch.setitem(SOURCES, "colors", Source(lambda: Images(pixels, "colors")))
    gray = load_images(Config(data="colors", channels=1)).pixels
    pillow = [Image.fromarray(image.permute(1, 2, 0).numpy()).convert("L") for image in pixels]
    expected = torch.stack([transforms.PILToTensor()(image) for image in pillow])
    assert gray.shape == (50, 1, 32, 32) and (gray.int() - expected.int()).abs().max() <= 1


def test_labels_go_with_their_images():
    """Each image has its label as its gray level, at any size and in both parts."""
    labels = torch.arange(10)
    pixels = labels.to(torch.uint8).reshape(10, 1, 1, 1).expand(-1, 1, 8, 8)
    images = Images(pixels, "levels", held_out=4, labels=labels, classes=tuple("abcdefghij"))
    learned, held_out = images.split()
    assert (len(learned), len(held_out)) == (6, 4)
    for part in (learned, held_out, images.fitted(16, "resize")):
        assert torch.equal(part.pixels[:, 0, 3, 3].long(), part.labels)
        assert part.classes == images.classes and part.source == "levels"
    for wrong in (labels[:9], labels + 1, labels - 1):
        with pytest.raises(UserError, match="image of wrong needs a label below 10"):
            Images(pixels, "wrong", labels=wrong, classes=tuple("abcdefghij"))


@pytest.mark.parametrize("shape", [(28, 28), (50, 37), (41, 90), (20, 300)])
def test_fitting_is_torchvisions(shape):
    image = Image.fromarray(np.random.default_rng(1).integers(0, 256, (*shape, 3), dtype=np.uint8))
    pixels = transforms.PILToTensor()(image)
    for size in (16, 64):
        steps = [transforms.Resize(size), transforms.CenterCrop(size), transforms.PILToTensor()]
        expected = transforms.Compose(steps)(image)
        ours = data.fit_images(pixels.expand(3, -1, -1, -1), size, "resize")
        assert ours.shape == (3, *expected.shape) and ours.dtype == torch.uint8
        assert (ours.int() - expected.int()).abs().max() <= 1
    padded = data.fit_images(pixels[None], 304, "pad")[0]
    top, left = ((304 - side) // 2 for side in shape)
    assert torch.equal(padded[:, top : top + shape[0], left : left + shape[1]], pixels)
    assert padded.sum() == pixels.sum(), "black all around"


def test_scale_and_unscale():
    levels = torch.arange(256, dtype=torch.uint8)
    scaled = data.scale(levels)
    assert scaled[[0, 255]].tolist() == [-1, 1] and scaled.diff().min() > 0
    assert torch.equal(data.unscale(scaled), levels)
    assert data.unscale(torch.tensor([-3.0, -1.0, 0.01, 3.0])).tolist() == [0, 0, 129, 255]


def numbered(count: int, repeats: int = 1) -> Images:
    """Images of one pixel each, whose gray level is their number and their label."""
    levels = torch.arange(count)
    pixels = levels.to(torch.uint8).view(-1, 1, 1, 1)
    return Images(pixels, "numbers", repeats, labels=levels, classes=tuple(map(str, range(count))))


def drawn(batches: Batches, steps: range) -> list[int]:
    """Return the numbers of the images in some batches, which their labels repeat."""
    images, labels = map(torch.cat, zip(*(batches.batch(step) for step in steps)))
    assert torch.equal(data.unscale(images).flatten().long(), labels)
    return labels.tolist()


def test_an_epoch_shows_each_image_once_per_repeat():
    for repeats in (1, 3):
        batches = Batches(numbered(200, repeats), 20, seed=0, device="cpu")
        assert batches.per_epoch == 10 * repeats
        for first in range(0, 20 * repeats, 10):  # two epochs
            shown = drawn(batches, range(first, first + 10))
            assert sorted(shown) == list(range(200)) and shown != list(range(200))
    assert Batches(numbered(70, 3), 32, 0, "cpu").per_epoch == 6, "a last one of 18 is dropped"
    with pytest.raises(UserError, match="batch_size is 51.*allowed: 1 to 50"):
        Batches(numbered(50, repeats=39), 51, 0, "cpu")


def test_order_follows_from_seed_and_step_alone():
    state = torch.get_rng_state()
    in_order = drawn(Batches(numbered(100), 10, 7, "cpu"), range(40))
    assert torch.equal(torch.get_rng_state(), state)
    batches = Batches(numbered(100), 10, 7, "cpu")
    for step in reversed(range(40)):
        assert drawn(batches, range(step, step + 1)) == in_order[10 * step : 10 * step + 10]
    assert in_order[:10] == [91, 33, 20, 21, 94, 87, 56, 71, 97, 78], "as in runs of before"
