"""Run correct variants and mutants without a grader, to see that they are what they claim to be.

    python probe.py DATA_FOLDER REFERENCE SUBMISSION...

Prints for every submission the first property that each part lacks, null if it lacks none:
{name: {part: property}}. Parts in a file that is the reference's are left out. It knows the right
answers by itself, so that a mistake in the grader does not hide one in the corpus.
"""

import contextlib
import importlib
import io
import itertools
import json
import os
import random
import sys
import time
import warnings
from collections import Counter
from pathlib import Path
from unittest.mock import MagicMock

import imageio
import numpy as np
import torch

TWIN = -1  # stands for a drawing of which its character has two
MISSING = ["dnc", "google_drive_downloader", "matplotlib", "matplotlib.pyplot", "neptune"]
MISSING += ["torchvision", "torchvision.transforms", "wandb"]


def load(folder: Path, packed: dict):
    """The modules load_data and hw1 of a submission."""
    for name in ("helpers", "hw1", "load_data", "utils"):
        sys.modules.pop(name, None)
    importlib.invalidate_caches()
    sys.path[0] = str(folder)
    load_data = importlib.import_module("load_data")
    load_data.load_packed = lambda data_folder: packed  # read once, not for every submission
    return load_data, importlib.import_module("hw1")


def index(packed: dict) -> dict:
    """Pixels → (character, drawing)."""
    of_pixels, characters = {}, {}
    for n, file in enumerate(sorted(packed)):
        character = characters.setdefault(os.path.dirname(file), len(characters))
        pixels = (packed[file] != 0).tobytes()
        of_pixels[pixels] = (character, TWIN if pixels in of_pixels else n % 20)
    return of_pixels


def draw(make, images_of: dict, K: int, N: int, split: str, count: int):
    """Tasks as (character, drawing) of every image [T, K+1, N, 2] and labels [T, K+1, N, N]."""
    generator = make(N, K + 1, split)
    found, labels = [], []
    for _ in range(count):
        images, label = (np.asarray(part, dtype=np.float32) for part in generator._sample())
        assert images.shape == (K + 1, N, 784), "shape"
        assert label.shape == (K + 1, N, N), "shape"
        assert images.max() in (1, 255), "contrast"
        assert images.min() == 0, "contrast"
        assert np.isin(images, (0, images.max())).all(), "grey"
        assert all(ink.tobytes() in images_of for row in images != 0 for ink in row), "images"
        found.append([[images_of[ink.tobytes()] for ink in row] for row in images != 0])
        labels.append(label)
    return np.array(found), np.array(labels)


def probe_sampler(make, images_of: dict) -> None:
    """AssertionError names the first property that `_sample` lacks."""
    K, N = 2, 3
    found, labels = draw(make, images_of, K, N, "train", 1500)
    assert ((labels == 0) | (labels == 1)).all(), "one_hot"
    assert (labels.sum(-1) == 1).all(), "one_hot"
    assert (labels[:, :-1] == np.eye(N)).all(), "support_order"
    order = labels[:, -1].argmax(-1)
    assert (np.sort(order) == np.arange(N)).all(), "query_row"

    shown = found[..., 0]
    assert (shown[:, :-1] == shown[:, :1]).all(), "labels_match"
    assert (np.take_along_axis(shown[:, 0], order, 1) == shown[:, -1]).all(), "labels_match"

    query = np.take_along_axis(found[:, -1:], order.argsort(1)[:, None, :, None], 2)
    drawings = np.concatenate([found[:, :-1], query], axis=1)[..., 1]  # columns are classes
    drawings = drawings[(drawings != TWIN).all((1, 2))]
    assert (np.diff(np.sort(drawings, axis=1), axis=1) > 0).all(), "distinct_images"
    for row in (drawings[:, 0], drawings[:, -1]):
        assert len(np.unique(row)) == 20, "all_images"

    # An order comes 250 ± 15 times, and as often after each order: 42 ± 6.
    names = [tuple(row) for row in order]
    assert all(170 < Counter(names)[name] < 330 for name in set(names)), "query_order"
    assert len(set(names)) == 6, "query_order"
    pairs = Counter(itertools.pairwise(names))
    assert len(pairs) == 36, "query_order_fresh"
    assert sum(pairs[name, name] for name in set(names)) < 350, "query_order_fresh"  # 250 ± 15
    first = shown[:, 0].argsort(1).argsort(1)  # how the characters rank by name
    assert len(np.unique(np.hstack([first, order]), axis=0)) == 36, "query_order_independent"

    # Of 4,500 pairs of characters in a task, 17 ± 4 come again: there are 600,000.
    pairs = np.sort(shown[:, 0])[:, [[0, 1], [0, 2], [1, 2]]].reshape(-1, 2)
    assert len(np.unique(pairs, axis=0)) > 4400, "characters_independent"

    splits = [{*np.unique(shown)}]
    for split, count in (("train", 30), ("val", 100), ("test", 30)):
        found, labels = draw(make, images_of, 1, 20, split, count)
        order = labels[:, -1].argmax(-1)
        query = np.take_along_axis(found[:, -1], order.argsort(1)[..., None], 1)
        assert (labels[:, 0] == np.eye(20)).all(), "support_order"
        assert (query[..., 0] == found[:, 0, :, 0]).all(), "labels_match"
        assert (order != np.arange(20)).any(1).all(), "query_order"
        same = (query[..., 1] == found[:, 0, :, 1]) & (query[..., 1] != TWIN)
        assert not same.any(), "distinct_images"
        assert len({*np.unique(found[..., 1])} - {TWIN}) == 20, "all_images"
        assert all(len(set(row)) == 20 for row in found[:, 0, :, 0]), "distinct_characters"
        splits.append({*np.unique(found[..., 0])})
    splits = [splits[0] | splits[1], *splits[2:]]
    assert len(splits[1]) == 100, "whole_split"
    for i in range(3):
        assert not splits[i] & splits[i - 1], "split"
    first, *others = itertools.islice(make(N, K + 1, "train"), 3)
    assert len(others) == 2, "endless"
    assert not all(np.array_equal(first[0], other[0]) for other in others), "drawn_anew"


def network(lstms, images, labels, label_first, scale, by_class):
    """The handout's predictions [B, K+1, N, N], with one of the layouts that it allows."""
    B, K1, N, _ = images.shape
    labels = torch.cat([labels[:, :-1], torch.zeros(B, 1, N, N)], dim=1)
    parts = [labels, images / scale] if label_first else [images / scale, labels]
    order = torch.arange(K1 * N)
    if by_class:
        order[:-N] = order[:-N].view(K1 - 1, N).T.flatten()
    steps = torch.cat(parts, dim=-1).flatten(1, 2)[:, order]
    for lstm in lstms:
        steps, _ = lstm(steps)
    return steps[:, order.argsort()].view(B, K1, N, N)


def batch(B: int, K: int, N: int):
    """Random images and labels, and a direction in which to differentiate predictions."""
    images = torch.rand(B, K + 1, N, 784)
    labels = torch.eye(N).repeat(B, K + 1, 1, 1)
    for task in labels:
        task[-1] = torch.eye(N)[[*range(1, N), 0] if N > 2 else torch.randperm(N)]
    return images, labels, torch.randn(B, K + 1, N, N)


def gradients(lstms, predictions, direction):
    weights = [weight for lstm in lstms for weight in lstm.parameters()]
    return torch.autograd.grad((predictions * direction).sum(), weights, allow_unused=True)


def close(one, other) -> bool:
    same = one is not None and one.shape == other.shape
    return same and torch.allclose(one.double(), other.double(), rtol=1e-4, atol=1e-5)


def probe_forward(mann, scales) -> None:
    """AssertionError names the first property that `forward` lacks."""
    layouts = [*itertools.product((False, True), scales, (False, True))]
    for B, K, N in ((3, 2, 3), (1, 1, 2), (4, 3, 5)):
        model = mann(N, K + 1, 16)
        lstms = [
            module
            for module in torch.nn.Module.modules(model)
            if isinstance(module, torch.nn.LSTM)
            and (module.input_size, module.hidden_size) in ((784 + N, 16), (16, N))
        ]
        assert len(lstms) == 2, "layers"
        assert all(lstm.num_layers == 1 for lstm in lstms), "layers"
        twins = [torch.nn.LSTM(x.input_size, x.hidden_size, batch_first=True) for x in lstms]
        for twin, lstm in zip(twins, lstms, strict=True):
            twin.load_state_dict(lstm.state_dict())
        # The second call finds no memory of the first, the third one has another size.
        for training, size in ((True, B), (True, B), (False, B + 1)):
            model.train(training)
            images, labels, direction = batch(size, K, N)
            given = images.clone(), labels.clone()
            predictions = model(images, labels)
            assert all(map(torch.equal, (images, labels), given)), "inputs"
            assert predictions.shape == (size, K + 1, N, N), "shape"
            expected = {x: network(twins, *given, *x) for x in layouts}
            layouts = [x for x in layouts if close(predictions, expected[x])]
            assert layouts, "value"
            assert predictions.requires_grad, "gradient"
            assert all(weight.requires_grad for weight in model.parameters()), "gradient"
            got = gradients(lstms, predictions, direction)
            right = gradients(twins, expected[layouts[0]], direction)
            assert all(map(close, got, right)), "gradient"


def probe_loss(mann) -> None:
    """AssertionError names the first property that `loss_function` lacks."""
    for B, K, N, size in ((1, 1, 3, 3), (4, 2, 3, 3), (2, 1, 5, 3), (3, 2, 4, 10)):
        model = mann(N, K + 1, 16)
        images, labels, preds = batch(B, K, N)
        with contextlib.suppress(Exception):
            model(images, labels.clone())  # which comes first in a training
        preds = (size * preds).requires_grad_()
        given = preds * 1
        loss = model.loss_function(given, labels)
        assert torch.equal(given, preds), "inputs"
        assert (labels[:, :-1] == torch.eye(N)).all(), "inputs"
        assert getattr(loss, "shape", None) == (), "scalar"
        assert loss.requires_grad, "scalar"
        shares = torch.softmax(preds[:, -1].detach().double(), dim=-1)
        right = -(labels[:, -1] * shares.log()).sum() / (B * N)
        assert close(loss.double(), right), "value"
        gradient = torch.zeros_like(preds)
        gradient[:, -1] = (shares - labels[:, -1]).float() / (B * N)
        assert close(torch.autograd.grad(loss, preds)[0], gradient), "gradient"
        far = preds.detach() * 1000
        loss = model.loss_function(far, labels)
        assert loss.isfinite(), "finite"
        right = -(labels[:, -1] * far[:, -1].double().log_softmax(-1)).sum() / (B * N)
        assert close(loss.double(), right), "value_far"


def scales(make) -> tuple[int, ...]:
    """What `forward` may divide images by."""
    with contextlib.suppress(Exception):
        return (1, 255) if np.max(np.asarray(make(2, 2, "train")._sample()[0])) > 1 else (1,)
    return (1,)


def first_lack(probe, *args) -> str | None:
    try:
        # Some print while they sample, some make errors of warnings.
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            probe(*args)
    except AssertionError as error:
        return str(error)
    except Exception as error:  # a bug of the corpus
        return f"crash: {error!r}"
    return None


def main(data_folder: str, reference: str, *submissions: str) -> None:
    sys.path.insert(0, reference)
    sys.modules.update((name, MagicMock()) for name in MISSING)
    time.sleep = lambda seconds: None  # of the slow constructor
    read = imageio.imread
    imageio.imread = lambda file: np.uint8(255) * read(file)  # PNGs of 1 bit, as if of 8

    torch.compile = lambda function: function  # takes a minute
    torch.set_num_threads(1)
    packed = importlib.import_module("load_data").load_packed(data_folder)
    images_of = index(packed)
    lacks = {}
    for folder in map(Path, (reference, *submissions)):
        with warnings.catch_warnings():
            load_data, hw1 = load(folder, packed)

        def make(N, K1, split, load_data=load_data):
            return load_data.DataGenerator(N, K1, split, {"data_folder": data_folder})

        random.seed(0), np.random.seed(0), torch.manual_seed(0)
        lacks[folder.name] = lack = {}
        if str(folder) == reference or changed(folder, reference, "load_data.py"):
            lack["sampler"] = first_lack(probe_sampler, make, images_of)
        if str(folder) == reference or changed(folder, reference, "hw1.py"):
            lack["forward"] = first_lack(probe_forward, hw1.MANN, scales(make))
            lack["loss"] = first_lack(probe_loss, hw1.MANN)
    print(json.dumps(lacks))


def changed(folder: Path, reference: str, name: str) -> bool:
    return (folder / name).read_bytes() != Path(reference, name).read_bytes()


if __name__ == "__main__":
    main(*sys.argv[1:])
