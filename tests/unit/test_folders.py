"""Folders of images: which are found, how they are decoded, and that it is done once."""

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch
from PIL import Image
from torchvision import transforms
from torchvision.datasets import ImageFolder

from dcgan_utils.config import Config, UserError
from dcgan_utils.data import Images, load_images

MEANT = np.arange(256, dtype=np.uint8).reshape(16, 16)  # from black to white
TURNED = Image.Exif()
TURNED[0x0112] = 6  # to be shown a quarter to the right


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr("platformdirs.user_cache_path", lambda name: tmp_path / "cache" / name)
    return tmp_path / "cache" / "dcgan_utils"


@pytest.fixture
def folder(tmp_path):
    """Six color images of two classes, of unequal sizes, in a folder called "flowers"."""
    noise = np.random.default_rng(2)
    for number in range(6):
        pixels = noise.integers(0, 256, (40 + 3 * number, 50, 3), dtype=np.uint8)
        only_image(tmp_path / "flowers" / "ab"[number % 2], pixels, f"{number}.png")
    return tmp_path / "flowers"


def only_image(folder: Path, picture, name: str = "one.png", **options) -> Path:
    folder.mkdir(exist_ok=True, parents=True)
    picture = Image.fromarray(picture) if isinstance(picture, np.ndarray) else picture
    picture.save(folder / name, **options)
    return folder


def add_copies(folder: Path, count: int) -> None:
    for number in range(10, 10 + count):
        shutil.copy(folder / "a" / "0.png", folder / "a" / f"{number}.png")


def load_folder(folder: Path, said: list[str] | None = None, **settings) -> Images:
    config = Config(data=str(folder), **{"fit": "resize", **settings})
    return load_images(config, [].append if said is None else said.append)


def test_folder_is_torchvisions_image_folder(folder):
    said = []
    images, theirs = load_folder(folder, said), ImageFolder(folder)
    steps = [transforms.Resize(32), transforms.CenterCrop(32), transforms.PILToTensor()]
    expected = torch.stack([x for x, _ in ImageFolder(folder, transforms.Compose(steps))])
    assert images.pixels.dtype == torch.uint8
    assert (images.pixels.int() - expected.int()).abs().max() <= 1
    assert (images.source, images.repeats, images.held_out) == ("flowers", 1, 0)
    assert images.classes == tuple(theirs.classes) == ("a", "b")
    assert images.labels.tolist() == theirs.targets == [0, 0, 0, 1, 1, 1]
    assert len(said) == 1 and "6 images" in said[0]
    assert load_folder(folder / "a").classes == ("",)


def test_hidden_files_and_what_is_no_picture_to_people_are_not_data(folder):
    """Also under a picture's name: an EPS file is a program, which Pillow would run."""
    before = load_folder(folder)
    for name in (".ipynb_checkpoints", ".git", "__MACOSX", "__MACOSX/a", "b/.ipynb_checkpoints"):
        only_image(folder / name, np.zeros((9, 9)), "0-checkpoint.tiff")
    (folder / "a" / "._0.png").write_bytes(b"\x00\x05\x16\x07 what a Mac puts beside a file")
    for name in ("document.pdf", "drawing.eps"):
        Image.new("RGB", (9, 9)).save(folder / "a" / name)
    said = []
    after = load_folder(folder, said)
    assert after.classes == ("a", "b") and torch.equal(after.pixels, before.pixels)
    assert "left out" not in said[0]
    (folder / "a" / "drawing.eps").rename(folder / "a" / "drawing.png")
    with pytest.raises(UserError, match=r"drawing\.png: cannot identify"):
        load_folder(folder)


def test_every_format_that_pillow_opens_counts_with_its_first_frame(tmp_path):
    moving, still = ["gif", "webp", "png", "tif"], ["jpg", "JPEG", "jfif", "avif", "bmp", "tga"]
    first, *others = (Image.new("RGB", (32, 32), (level,) * 3) for level in (200, 90, 10))
    for ending in [*moving, *still, "ppm", "jp2"]:
        options = {"save_all": True, "append_images": others} if ending in moving else {}
        only_image(tmp_path / "all", first, f"one.{ending}", **options)
    pixels = load_folder(tmp_path / "all").pixels
    assert len(pixels) == 12 and (pixels.float() - 200).abs().max() < 4


def test_a_few_that_cannot_be_read_are_left_out_and_named(folder):
    add_copies(folder, 80)
    expected, place = load_folder(folder), sorted(folder.rglob("*.png")).index(folder / "a/33.png")
    truncated = (folder / "a" / "0.png").read_bytes()[:2000]
    (folder / "b" / "0.png").symlink_to(folder / "nowhere.png")
    (folder / "c").mkdir()
    for name in ("a/33.png", "c/1.png", "c/2.png"):
        (folder / name).write_bytes(truncated)
    said = []
    for _ in range(2):  # decoded, and as kept
        images = load_folder(folder, said)
        assert images.classes == ("a", "b") and images.labels.tolist() == [0] * 82 + [1] * 3
        assert torch.equal(images.pixels, expected.pixels[torch.arange(86) != place])
        assert "85 images" in said[-1] and "4 left out (" in said[-1] and "33.png" in said[-1]
    (folder / "c" / "3.png").write_bytes(b"hi")
    with pytest.raises(UserError, match=r"5 of 90: .*33\.png"):
        load_folder(folder)


def test_missing_and_denied_folders(folder, monkeypatch):
    with pytest.raises(UserError, match="no images in .*mnits.*No such file.*mnist"):
        load_folder(Path("mnits"))

    def scandir(path, scandir=os.scandir):  # chmod would not stop root
        if Path(path) == folder / "a":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", scandir)
    said = []
    assert load_folder(folder, said).classes == ("b",)
    assert f"1 left out ({folder / 'a'}: Permission denied)" in said[0]


def test_links_are_followed_but_not_in_circles(folder, tmp_path):
    album = tmp_path / "album"
    album.mkdir()
    (folder / "a" / "0.png").rename(album / "0.png")
    links = {folder / "a" / "album": album, album / "back": folder / "a", folder / "self": folder}
    for link, target in links.items():
        link.symlink_to(target, target_is_directory=True)
        assert len(load_folder(folder)) == 6


def test_folder_in_gray_and_too_large(folder, monkeypatch):
    gray, color = load_folder(folder, channels=1).pixels, load_folder(folder).pixels
    weights = torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)  # ITU-R BT.601, as Pillow's "L"
    assert (gray - (color * weights).sum(1, keepdim=True)).abs().max() < 2
    with pytest.raises(UserError, match=r"0\.png: .*50x40.*image_size 32.*--fit resize"):
        load_folder(folder, fit="pad", image_size=32)
    known = psutil.virtual_memory()._replace(total=2 * 6 * 3 * 16 * 16 - 1)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: known)
    with pytest.raises(UserError, match="6 images exceed half the memory"):
        load_folder(folder, image_size=16)


PICTURES = {  # of several kinds, each to be seen as `MEANT`
    "16 bit.png": MEANT.astype(np.uint16) * 257,
    "32 bit.tiff": MEANT.astype(np.int32) * 257,
    "fractions to 1.tiff": MEANT.astype(np.float32) / 255,
    "fractions to 255.tiff": MEANT.astype(np.float32),
    "transparent over white.png": np.stack([MEANT * 0 + 255] * 3 + [MEANT], axis=2),
    "turned.png": np.rot90(MEANT).copy(),
}


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_are_as_eyes_see_them(tmp_path, name):
    options = {"exif": TURNED} if name == "turned.png" else {}
    folder = only_image(tmp_path / "one", PICTURES[name], name, **options)
    for channels in (1, 3):
        pixels = load_folder(folder, image_size=16, channels=channels).pixels[0]
        assert (pixels.numpy() == MEANT).all()
    only_image(folder, MEANT.astype(np.float32) * 40 - 3000, "others.tiff")
    with pytest.raises(UserError, match=r"others\.tiff.*-3000 to 7200.*0 to 255"):
        load_folder(folder)


def test_a_folder_is_decoded_once(folder, cache):
    said = []
    cache.parent.write_text("a file stands where the folder would be")
    first = load_folder(folder, said)
    cache.parent.unlink()
    load_folder(folder)
    (kept,) = cache.iterdir()
    kept.write_bytes(kept.read_bytes()[:500])  # damaged, it is made anew
    assert torch.equal(load_folder(folder, said).pixels, first.pixels)
    assert {path.name for path in folder.iterdir()} == {"a", "b"}, "nothing beside the user's"
    for path in folder.rglob("*.png"):  # garbage that looks the same from outside
        times = path.stat().st_atime_ns, path.stat().st_mtime_ns
        path.write_bytes(bytes(path.stat().st_size))
        os.utime(path, ns=times)
    again = load_folder(folder, said)
    assert torch.equal(first.pixels, again.pixels) and torch.equal(first.labels, again.labels)
    assert "could not be kept" in said[0] and f"decoded before, from {kept}" in said[2]


def test_what_was_kept_is_not_used_after_a_change(folder, cache):
    for settings in ({}, {"image_size": 16}, {"channels": 1}, {"fit": "pad", "image_size": 64}):
        load_folder(folder, **settings)
    os.utime(folder / "a" / "0.png", ns=(0, 1))
    load_folder(folder)
    add_copies(folder, 1)
    load_folder(folder)
    assert len(list(cache.iterdir())) == 6


MEMORY = """
import pathlib, psutil, re, sys
from dcgan_utils.config import Config
from dcgan_utils.data import load_images
load_images(Config(data=sys.argv[1], fit="resize", image_size=16))  # all is imported
before = psutil.Process().memory_info().rss
pathlib.Path("/proc/self/clear_refs").write_text("5")  # forgets the peak so far, and the parent's
load_images(Config(data=sys.argv[1], fit="resize", image_size=256))
peak = re.search(r"VmHWM:\\s+(\\d+) kB", pathlib.Path("/proc/self/status").read_text())[1]
print((int(peak) * 1024 - before) / 2**20)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="memory is counted in other units")
def test_a_folder_takes_its_memory_once(folder, tmp_path):
    add_copies(folder, 394)  # 400 images, 75 MiB
    environment = os.environ | {"XDG_CACHE_HOME": str(tmp_path), "PYTHONPATH": os.getcwd()}
    command = [sys.executable, "-c", MEMORY, str(folder)]
    for _ in range(2):  # decoded and kept, and read again
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
        assert 70 < float(done.stdout.split()[-1]) < 120
