"""Folders of images: which are found, how they are decoded, and that it is done once."""

import errno
import itertools
import os
import time
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


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A cache folder of the test's own."""
    monkeypatch.setattr("platformdirs.user_cache_path", lambda name: tmp_path / "cache" / name)
    return tmp_path / "cache" / "dcgan_utils"


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
    theirs = ImageFolder(folder)
    assert (images.source, images.repeats) == ("flowers", 1)
    assert images.classes == tuple(theirs.classes) == ("a", "b")
    assert images.labels.tolist() == theirs.targets == [0, 0, 0, 1, 1, 1]


def test_folder_in_gray(folder):
    gray = load_folder(folder, channels=1).pixels
    assert gray.shape == (6, 1, 32, 32)
    weights = torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)  # ITU-R BT.601, as Pillow's "L"
    color = (load_folder(folder).pixels * weights).sum(1, keepdim=True)
    assert (gray - color).abs().max() < 2


def test_folder_without_class_folders(folder):
    assert load_folder(folder / "a").classes == ("",)
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


def test_a_whole_disk_is_refused_soon(tmp_path, monkeypatch):
    """A tree without an end, of folders of which few hold an image, stands for a disk."""

    def endless_walk(top, **_):
        for number in itertools.count():
            assert number < 200_000, "the search goes on and on"
            yield f"{top}/{number}", [], ["a.png" if number % 10 == 0 else "a.txt"]

    monkeypatch.setattr(os, "walk", endless_walk)
    with pytest.raises(UserError, match="more than a folder of images.*folder of the images its"):
        load_folder(tmp_path)


def test_a_search_that_takes_a_while_says_what_it_does(folder, monkeypatch, capfd):
    load_folder(folder)
    assert "looking for" not in capfd.readouterr().err

    def slow_walk(*given, walk=os.walk, **named):
        for place in walk(*given, **named):
            time.sleep(0.6)
            yield place

    monkeypatch.setattr(os, "walk", slow_walk)
    load_folder(folder)
    assert f"looking for images in {folder}: 3 files" in capfd.readouterr().err


def test_a_large_tree_of_images_is_no_disk(folder, monkeypatch):
    """As many files beside the images as one likes, such as one of text for each."""
    monkeypatch.setattr("dcgan_utils.data.folders.MOST_OTHERS", 4)  # here 5, with the folders
    (folder / "a" / "0.txt").write_text("a label")
    (folder / "a" / "2.txt").write_text("a label")
    assert len(load_folder(folder)) == 6
    for number in range(3):
        (folder / "b" / f"{number}.txt").write_text("a label")
    with pytest.raises(UserError, match="images were found among"):
        load_folder(folder)


@pytest.fixture
def deny(monkeypatch):
    """A function after which a folder can't be listed, also not by root, whom chmod won't stop."""

    def deny(folder):
        def scandir(path, scandir=os.scandir):
            if Path(path) == folder:
                raise PermissionError(errno.EACCES, "Permission denied", str(path))
            return scandir(path)

        monkeypatch.setattr(os, "scandir", scandir)

    return deny


def test_a_folder_without_permission_is_named(folder, deny):
    deny(folder)
    with pytest.raises(UserError, match="flowers can't be read: Permission denied.*Give yourself"):
        load_folder(folder)


def test_a_class_without_permission_is_left_out_and_named(folder, deny):
    deny(folder / "a")
    said = []
    images = load_images(Config(data=str(folder), fit="resize"), said.append)
    assert images.classes == ("b",) and len(images) == 3
    assert said[0].startswith("Left out: ") and f"{folder / 'a'} can't be read" in said[0]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="nothing stops root")
@pytest.mark.parametrize("mode", [0o000, 0o444])
@pytest.mark.parametrize("which", ["", "a"])
def test_a_folder_really_without_permission(folder, mode, which):
    for path in folder.glob("b/*"):
        path.unlink()
    (folder / which).chmod(mode)
    try:
        with pytest.raises(UserError, match="can't be read: Permission denied"):
            load_folder(folder)
        with pytest.raises(UserError, match="can't be read: Permission denied"):
            load_folder(folder / which / "a")
    finally:
        (folder / which).chmod(0o755)


def test_a_link_to_nowhere_is_named(folder):
    (folder / "a" / "gone.png").symlink_to(folder / "nowhere.png")
    with pytest.raises(UserError, match=r"gone\.png can't be read: No such file"):
        load_folder(folder)


def test_a_folder_that_holds_a_link_to_itself_is_searched_once(folder):
    (folder / "a" / "back").symlink_to(folder, target_is_directory=True)
    (folder / "self").symlink_to(folder, target_is_directory=True)
    assert len(load_folder(folder).pixels) == 6


def test_a_link_to_another_folder_is_followed(folder, tmp_path):
    other = tmp_path / "album"
    other.mkdir()
    (folder / "a" / "0.png").rename(other / "0.png")
    (folder / "a" / "more").symlink_to(other, target_is_directory=True)
    assert len(load_folder(folder).pixels) == 6


def test_folder_larger_than_half_the_memory(folder, monkeypatch):
    needed = 6 * 3 * 32 * 32

    def machine_with(memory):
        known = psutil.virtual_memory()._replace(total=memory)
        monkeypatch.setattr(psutil, "virtual_memory", lambda: known)

    machine_with(2 * needed)
    load_folder(folder)
    machine_with(2 * needed - 1)
    (folder / "a" / "0.png").write_bytes(b"what only decoding would find")
    with pytest.raises(UserError, match="6 images.*half of this machine's"):
        load_folder(folder)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_obeyed(tmp_path, orientation):
    """The picture as it was meant, stored in each of the eight ways that a camera may store it."""
    meant = np.zeros((16, 16, 3), dtype=np.uint8)
    meant[:8, :8], meant[:8, 8:], meant[8:, :8] = 250, 150, 60  # three gray levels, and black
    stored = {
        1: meant,
        2: meant[:, ::-1],
        3: meant[::-1, ::-1],
        4: meant[::-1],
        5: meant.swapaxes(0, 1),
        6: np.rot90(meant, 1),
        7: meant.swapaxes(0, 1)[::-1, ::-1],
        8: np.rot90(meant, -1),
    }[orientation]
    (tmp_path / "photos").mkdir()
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = Image.fromarray(np.ascontiguousarray(stored))
    picture.save(tmp_path / "photos" / "one.png", exif=exif)
    pixels = load_folder(tmp_path / "photos", image_size=16).pixels[0, 0]
    assert pixels.tolist() == meant[..., 0].tolist()


def test_a_folder_is_decoded_once(folder, cache):
    said = []
    first = load_images(Config(data=str(folder), fit="resize"), said.append)
    (kept,) = cache.iterdir()
    assert str(kept) in said[0] and "decoded, and kept" in said[0]
    assert {path.name for path in folder.iterdir()} == {"a", "b"}, "nothing beside the user's"
    for path in folder.rglob("*.png"):  # garbage that looks the same from outside
        times = path.stat().st_atime_ns, path.stat().st_mtime_ns
        path.write_bytes(bytes(path.stat().st_size))
        os.utime(path, ns=times)
    again = load_images(Config(data=str(folder), fit="resize"), said.append)
    assert torch.equal(first.pixels, again.pixels) and torch.equal(first.labels, again.labels)
    assert str(kept) in said[1] and "before" in said[1]


@pytest.mark.parametrize("change", ["another image", "an image more", "another size", "gray"])
def test_what_was_kept_is_not_used_after_a_change(folder, change):
    settings = {"another size": {"image_size": 16}, "gray": {"channels": 1}}.get(change, {})
    plain = folder / "a" / "plain.bmp"  # whose size in bytes does not depend on its content
    Image.new("RGB", (40, 50), (1, 2, 3)).save(plain)
    before = load_folder(folder).pixels
    if change == "another image":
        times = plain.stat().st_atime_ns, plain.stat().st_mtime_ns + 10**9
        Image.new("RGB", (40, 50), (3, 2, 1)).save(plain)
        os.utime(plain, ns=times)
    if change == "an image more":
        Image.new("RGB", (40, 50), (1, 2, 3)).save(folder / "a" / "more.png")
    after = load_folder(folder, **settings).pixels
    assert after.shape != before.shape or not torch.equal(after, before)


def test_a_cache_that_cannot_be_written_is_no_failure(folder, cache):
    cache.parent.parent.joinpath("cache").write_text("a file stands where the folder would be")
    said = []
    assert len(load_images(Config(data=str(folder), fit="resize"), said.append)) == 6
    assert "could not be kept" in said[0]


def test_decoding_shows_a_progress_bar(folder, capfd):
    load_folder(folder)
    shown = capfd.readouterr().err
    assert "decoding" in shown and "6/6" in shown


def only_image(folder: Path, picture: Image.Image, name: str = "one.png") -> Path:
    folder.mkdir(exist_ok=True)
    picture.save(folder / name)
    return folder


RAMP = np.linspace(0, 1, 256).reshape(16, 16)  # from black to white


@pytest.mark.parametrize(
    ("kind", "name"), [("uint16", "one.png"), ("int32", "one.tiff"), ("float", "one.tiff")]
)
def test_deep_pictures_keep_their_gray_levels(tmp_path, kind, name):
    """16-bit levels are divided by 257; a float picture between 0 and 1 is multiplied by 255."""
    stored = {
        "uint16": lambda: Image.fromarray((RAMP * 65535).round().astype(np.uint16)),
        "int32": lambda: Image.fromarray((RAMP * 65535).round().astype(np.int32)),
        "float": lambda: Image.fromarray(RAMP.astype(np.float32)),
    }[kind]()
    folder = only_image(tmp_path / "deep", stored, name)
    for channels in (1, 3):
        pixels = load_folder(folder, image_size=16, channels=channels).pixels[0]
        assert (pixels.int() - torch.from_numpy(RAMP * 255).round().int()).abs().max() <= 1


def test_a_float_picture_of_gray_levels_is_taken_as_it_is(tmp_path):
    stored = Image.fromarray((RAMP * 255).astype(np.float32))
    pixels = load_folder(only_image(tmp_path / "deep", stored, "one.tiff"), image_size=16).pixels
    assert (pixels[0, 0].int() - torch.from_numpy(RAMP * 255).round().int()).abs().max() <= 1


def test_a_float_picture_with_other_numbers_is_named(tmp_path):
    stored = Image.fromarray((RAMP * 9000 - 3000).astype(np.float32))
    with pytest.raises(UserError, match=r"one\.tiff.*from -3000.*0 to 1.*0 to 255"):
        load_folder(only_image(tmp_path / "deep", stored, "one.tiff"), image_size=16)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparent_pixels_become_black_not_their_hidden_color(tmp_path, mode):
    """The left half is transparent, over a hidden white; the right half is opaque and white."""
    pixels = np.full((16, 16, 4), 255, dtype=np.uint8)
    pixels[:, :8, 3] = 0
    picture = Image.fromarray(pixels)
    if mode == "P":
        indexed = Image.fromarray((np.arange(16)[None, :] // 8).repeat(16, 0).astype(np.uint8), "P")
        indexed.putpalette([255] * 6)
        indexed.info["transparency"] = 0
        picture = indexed
    elif mode == "LA":
        picture = picture.convert("LA")
    drawn = load_folder(only_image(tmp_path / "clear", picture), image_size=16).pixels[0]
    assert drawn[:, :, :8].max() == 0 and drawn[:, :, 8:].min() == 255
