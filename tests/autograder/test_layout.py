"""The layouts that the handout leaves open: one network, fed and weighted in other orders."""

import pytest
import torch

from autograder.layout import LAYOUTS, Layout, close
from solutions import hw1

HIDDEN = 16
SIZES = [(2, 1, 2), (3, 2, 3), (1, 3, 4), (2, 1, 5)]  # B, K, N
NAMES = [f"{one.labels_first:d}{one.by_class:d}{one.scale < 1:d}" for one in LAYOUTS]
each_layout = pytest.mark.parametrize("layout", LAYOUTS, ids=NAMES)
each_size = pytest.mark.parametrize(("batch", "shot", "way"), SIZES)


def theirs(layout, weights, images, labels):
    """A network that takes one of the ways, step by step."""
    batch, rows, way, _ = images.shape
    layer1 = torch.nn.LSTM(784 + way, HIDDEN, batch_first=True)
    layer2 = torch.nn.LSTM(HIDDEN, way, batch_first=True)
    model = torch.nn.ModuleDict({"layer1": layer1, "layer2": layer2})
    model.load_state_dict(weights)
    cells = [(k, n) for k in range(rows) for n in range(way)]
    if layout.by_class:
        cells = [(k, n) for n in range(way) for k in range(rows - 1)]
        cells += [(rows - 1, n) for n in range(way)]
    steps = []
    for k, n in cells:
        image = images[:, k, n] * layout.scale
        label = labels[:, k, n] if k < rows - 1 else torch.zeros(batch, way)
        steps.append(torch.cat([label, image] if layout.labels_first else [image, label], dim=-1))
    scores = layer2(layer1(torch.stack(steps, dim=1))[0])[0]
    predictions = torch.empty(labels.shape)
    for step, (k, n) in enumerate(cells):
        predictions[:, k, n] = scores[:, step]
    return predictions


def draw(batch, shot, way, scale):
    """A network of ours and a batch, with pixels up to 255 where the layout divides them."""
    torch.manual_seed(100 * batch + 10 * shot + way)
    model = hw1.MANN(way, shot + 1, HIDDEN)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    images = (torch.rand(batch, shot + 1, way, 784) < 0.1) / scale
    labels = torch.eye(way)[torch.rand(batch, shot + 1, way).argsort()]
    return model, images, labels


@each_layout
@each_size
@torch.no_grad()
def test_our_network_run_in_a_layout_predicts_what_such_a_network_does(layout, batch, shot, way):
    model, images, labels = draw(batch, shot, way, layout.scale)
    weights = layout.from_ours(model.state_dict())
    expected = theirs(layout, weights, images, labels)
    assert close(layout.run(hw1.MANN.forward, model, images, labels), expected)


@each_layout
@each_size
def test_weights_come_back_as_they_were(layout, batch, shot, way):
    weights = draw(batch, shot, way, layout.scale)[0].state_dict()
    there = layout.from_ours(weights)
    back = layout.to_ours(there, way)
    assert back.keys() == weights.keys()
    assert all(torch.equal(back[name], weights[name]) for name in weights)
    moved = not torch.equal(there["layer1.weight_ih_l0"], weights["layer1.weight_ih_l0"])
    assert moved == layout.labels_first
    assert there["layer1.weight_ih_l0"].shape == weights["layer1.weight_ih_l0"].shape


@torch.no_grad()
def test_no_two_layouts_are_the_same():
    model, images, labels = draw(2, 2, 3, 1)
    answers = []
    for layout in LAYOUTS:
        weights = layout.to_ours(model.state_dict(), 3)  # one submission's, read in every layout
        ours = hw1.MANN(3, 3, HIDDEN)
        ours.load_state_dict(weights)
        answers.append(layout.run(hw1.MANN.forward, ours, images, labels))
    for i, one in enumerate(answers):
        assert not any(close(one, other) for other in answers[:i])


def test_inputs_stay_as_they_are():
    model, images, labels = draw(2, 2, 3, 1)
    before = images.clone(), labels.clone()
    for layout in LAYOUTS:
        layout.run(hw1.MANN.forward, model, images, labels)
    assert torch.equal(images, before[0])
    assert torch.equal(labels, before[1])


def test_the_first_layout_is_ours():
    assert LAYOUTS[0] == Layout()
    model, images, labels = draw(2, 2, 3, 1)
    assert torch.equal(
        LAYOUTS[0].run(hw1.MANN.forward, model, images, labels), model(images, labels)
    )


@pytest.mark.parametrize(
    ("given", "expected", "same"),
    [
        ([1.0, 2.0], [1.0, 2.00001], True),
        ([1.0, 2.0], [1.0, 2.001], False),
        ([[1.0]], [1.0], False),
        ([float("nan")], [float("nan")], False),
    ],
)
def test_close_forgives_rounding_alone(given, expected, same):
    assert close(torch.tensor(given), torch.tensor(expected)) == same
    assert close(torch.tensor(given).double(), torch.tensor(expected)) == same
