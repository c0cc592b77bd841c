"""Digits in IDX files."""

import gzip
import os
import struct
from pathlib import Path

import numpy as np
import pytest
import torch

from fewshot.data.errors import DataError
from fewshot.data.mnist import load

IMAGES, LABELS = "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"


def write(folder, part="t10k", count=6, zipped=False):
    """A part of MNIST with random pixels; returns them and the labels."""
    random = np.random.default_rng(count)
    images = random.integers(256, size=(count, 28, 28), dtype=np.uint8)
    labels = random.integers(10, size=count, dtype=np.uint8)
    files = {
        f"{part}-images-idx3-ubyte": struct.pack(">4i", 2051, count, 28, 28) + images.tobytes(),
        f"{part}-labels-idx1-ubyte": struct.pack(">2i", 2049, count) + labels.tobytes(),
    }
    for name, content in files.items():
        if zipped:
            (folder / f"{name}.gz").write_bytes(gzip.compress(content))
        else:
            (folder / name).write_bytes(content)
    return torch.from_numpy(images.reshape(count, 784)), torch.from_numpy(labels.astype(np.int64))


@pytest.mark.parametrize("zipped", [False, True])
def test_reads_what_was_written(tmp_path, zipped):
    written = write(tmp_path, zipped=zipped)
    for read, expected in zip(load(tmp_path), written, strict=True):
        assert read.dtype == expected.dtype
        assert torch.equal(read, expected)


def test_train_comes_before_t10k(tmp_path):
    test, train = write(tmp_path, "t10k", 6), write(tmp_path, "train", 9, zipped=True)
    images, labels = load(tmp_path)
    assert torch.equal(images, torch.cat([train[0], test[0]]))
    assert torch.equal(labels, torch.cat([train[1], test[1]]))


def cut(folder):
    file = folder / IMAGES
    file.write_bytes(file.read_bytes()[:-1])


def cut_zip(folder):
    (folder / IMAGES).unlink()
    content = gzip.compress(bytes(5000) + np.random.default_rng(1).bytes(5000))
    (folder / f"{IMAGES}.gz").write_bytes(content[:-2000])


def swap(folder):
    (folder / LABELS).write_bytes((folder / IMAGES).read_bytes())


def other_count(folder):
    (folder / LABELS).write_bytes(struct.pack(">2i", 2049, 5) + bytes(5))


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (cut, f"{IMAGES} is damaged or no {IMAGES}"),
        (swap, f"{LABELS} is damaged or no {LABELS}"),
        (cut_zip, f"{IMAGES}.gz cannot be read"),
        (lambda folder: (folder / IMAGES).write_bytes(b""), f"{IMAGES} is damaged"),
        (lambda folder: (folder / IMAGES).write_bytes(b"<html>" * 9), f"{IMAGES} is damaged"),
        (lambda folder: (folder / f"{LABELS}").unlink(), f"lacks {LABELS} or {LABELS}.gz"),
        (other_count, "has 6 images and 5 labels in t10k"),
        (lambda folder: [file.unlink() for file in folder.iterdir()], "holds no MNIST: put t10k-"),
    ],
)
def test_what_is_wrong_is_one_sentence(tmp_path, damage, said):
    write(tmp_path)
    damage(tmp_path)
    with pytest.raises(DataError) as error:
        load(tmp_path)
    assert said in str(error.value)
    assert str(tmp_path) in str(error.value)
    assert "https://" in str(error.value)
    assert "\n" not in str(error.value)


def test_no_folder(tmp_path):
    with pytest.raises(DataError, match="holds no MNIST"):
        load(tmp_path / "none")


def test_real_digits():
    if not os.environ.get("MNIST_FOLDER"):
        pytest.skip("needs MNIST: set $MNIST_FOLDER to its folder")
    images, labels = load(Path(os.environ["MNIST_FOLDER"]))
    assert images.shape == (len(labels), 784)
    assert images.float().mean().item() / 255 == pytest.approx(0.131, abs=0.001)  # ink
    assert labels.bincount().min() > 0.08 * len(labels)
