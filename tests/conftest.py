"""What several test files share."""

import functools
import os
import socket

import matplotlib.pyplot as plt
import pytest
import torch

from dcgan_utils import runs
from dcgan_utils.config import preset
from dcgan_utils.data import SOURCES, load_images
from dcgan_utils.training import Training

# The networks in the tests are tiny: one thread is as fast, and does not wait for a busy core.
torch.set_num_threads(1)
os.environ["OMP_NUM_THREADS"] = "1"  # for the processes that tests start


def pytest_runtest_setup(item):
    """Skip what needs MNIST where it is not."""
    if item.get_closest_marker("data") and not SOURCES["mnist"].is_here():
        pytest.skip("no MNIST; DCGAN_DATA may name the folder that has it")


@pytest.fixture(autouse=True)
def no_figure_left():
    """Close the figures of a test, so that the next can count its own."""
    yield
    plt.close("all")


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    """Let this process reach itself alone, so that "auto" downloads nothing where it could."""

    def resolve(host, *given, resolve=socket.getaddrinfo, **options):
        if host not in ("127.0.0.1", "localhost", "::1", None):
            raise socket.gaierror("tests use no network")
        return resolve(host, *given, **options)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)


@functools.cache
def embedded(image_size, fit):
    """Return the embedded digits at a size, loaded once for all tests."""
    return load_images(preset("smoke", data="embedded", image_size=image_size, fit=fit))


@pytest.fixture
def smoke():
    """Return settings that train in a second on the embedded digits; any can be changed."""

    def settings(**changes):
        return preset("smoke", **{"data": "embedded", "device": "cpu", **changes})

    return settings


@pytest.fixture
def new_training(smoke):
    """Return a function that makes a run in memory from changed smoke settings."""

    def make(**changes):
        config = smoke(**changes)
        return Training(config, embedded(config.image_size, config.fit))

    return make


@pytest.fixture
def root(tmp_path, monkeypatch):
    """Return an empty data root, away from the environment's own, with no proxy for 127.0.0.1."""
    monkeypatch.setenv("DCGAN_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.delenv("DCGAN_MNIST_MIRROR", raising=False)
    return tmp_path / "data"


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Return the folder of a run of twenty steps, as `train` makes it, and the run."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    training = Training(preset("smoke", data="embedded", device="cpu"), embedded(16, "resize"))
    runs.create(training, folder)
    runs.complete(training, folder, lambda report: None)
    return folder, training
