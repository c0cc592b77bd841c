"""Problem 2a, with weights and tasks that the judge chooses; `layout` says what may differ."""

import numpy as np
import pytest
import torch

from autograder.context import Context
from autograder.judge import Failure
from autograder.layout import LAYOUTS, Layout, close
from autograder.mistakes.forward import ForwardCase
from autograder.student import StudentError
from solutions import hw1

HIDDEN = 32
SIZES = [(3, 2, 3), (1, 1, 2), (2, 1, 5), (2, 3, 4)]  # B, K, N; the first has K > 1 and N > 2


def make_weights(way: int, random: torch.Generator) -> dict[str, torch.Tensor]:
    """Weights under which images, labels and memory all matter."""
    model = hw1.MANN(way, 2, HIDDEN)
    weights = {}
    for name, parameter in model.named_parameters():
        weights[name] = 0.3 * torch.randn(parameter.shape, generator=random)
        if name == "layer1.weight_ih_l0":
            weights[name] += 0.7 * torch.randn(parameter.shape, generator=random) / 6
    return weights


def make_tasks(
    batch: int, shot: int, way: int, random: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Images of random ink, and labels with a shuffled query row."""
    images = (torch.rand(batch, shot + 1, way, 784, generator=random) < 0.1).float()
    labels = torch.eye(way).repeat(batch, shot + 1, 1, 1)
    for task in labels:
        task[-1] = task[-1, torch.randperm(way, generator=random)]
    return images, labels


def ask(
    context: Context,
    shot: int,
    way: int,
    tasks: list[tuple[torch.Tensor, torch.Tensor]],
    weights: dict[str, torch.Tensor] | None = None,
    direction: torch.Tensor | None = None,
    training: bool = True,
) -> tuple[dict, dict[str, np.ndarray]]:
    """What forward gives for some batches, one after the other.

    Raises:
        StudentError: nothing, or predictions of another shape.
    """
    arrays = {name: weight.numpy() for name, weight in (weights or {}).items()}
    for call, (images, labels) in enumerate(tasks):
        arrays |= {f"images{call}": images.numpy(), f"labels{call}": labels.numpy()}
    if direction is not None:
        arrays["direction"] = direction.numpy()
    header = {"shot": shot, "way": way, "hidden": HIDDEN, "calls": len(tasks), "training": training}
    answer, values = context.student.ask("forward", header, arrays)
    for call, (_, labels) in enumerate(tasks):
        shape = getattr(values.get(f"predictions{call}"), "shape", ())
        if shape != labels.shape:
            raise StudentError(
                f"For labels of shape {list(labels.shape)} the predictions should have the same "
                f"shape; they have {list(shape)}."
            )
    return answer, values


def predictions(values: dict[str, np.ndarray]) -> list[torch.Tensor]:
    """The predictions of each call."""
    count = sum(name.startswith("predictions") for name in values)
    return [torch.tensor(values[f"predictions{call}"]) for call in range(count)]


def ours(weights: dict[str, torch.Tensor], shot: int, way: int, layout: Layout) -> hw1.MANN:
    """Our network with what are the same weights in its own layout."""
    model = hw1.MANN(way, shot + 1, HIDDEN)
    model.load_state_dict(layout.to_ours(weights, way))
    return model


@pytest.fixture(scope="session")
def cases(context) -> list[ForwardCase]:
    """What forward answers with given weights, in training and evaluation, two batches each."""
    cases = []
    for number, (batch, shot, way) in enumerate(SIZES):
        random = context.random(2, number)
        weights = make_weights(way, random)
        tasks = [make_tasks(batch, shot, way, random) for _ in range(2)]
        answer, values = ask(context, shot, way, tasks, weights, training=number % 2 == 0)
        context.same_layers = answer.get("layers") is True
        if not context.same_layers:
            raise Failure(
                "MANN should have the handout's two layers and no others, an LSTM from 784+N to "
                f"hidden_dim and one from there to N; it has {answer.get('found')!s:.200}."
            )
        models = [ours(weights, shot, way, layout) for layout in LAYOUTS]
        cases.append(ForwardCase(models, tasks, predictions(values)))
    return cases


@pytest.fixture(scope="session")
def layout(context, cases) -> Layout | None:
    """The layout in which our network gives the same answers; None if there is none."""
    for number, layout in enumerate(LAYOUTS):
        if layout.scale != 1 and not up_to_255(context):
            continue
        if all(agrees(case, layout, number) for case in cases):
            context.layout = layout
            return layout
    return None


@torch.no_grad()
def agrees(case: ForwardCase, layout: Layout, number: int) -> bool:
    """Whether our network in a layout gives a case's answers."""
    return all(
        close(answer, layout.run(hw1.MANN.forward, case.models[number], *question))
        for question, answer in zip(case.asked, case.answered, strict=True)
    )


def up_to_255(context: Context) -> bool:
    """Whether the submission's images go up to 255, so that `forward` may divide."""
    try:
        tasks = context.draw(1, 2, "train", 60)
    except StudentError:
        return False
    return abs(tasks.ink - tasks.paper) > 2


def test_shape(context):
    """Shape, single precision and finite numbers for several B, K and N."""
    for batch, shot, way in [(1, 1, 2), (4, 1, 2), (2, 2, 3), (3, 3, 5), (1, 1, 20)]:
        tasks = make_tasks(batch, shot, way, context.random(1, batch, shot, way))
        _, values = ask(context, shot, way, [tasks])
        given = values["predictions0"]
        if given.dtype != np.float32:
            raise Failure(f"The predictions should be float32; they are {given.dtype}.")
        if not np.isfinite(given).all():
            raise Failure(
                f"The predictions should be finite numbers; for B = {batch}, K = {shot}, "
                f"N = {way} some are not."
            )


def test_value(cases, layout):
    """Equal to our network, whichever way the handout leaves open was taken."""
    if layout:
        return
    for case in cases:
        with torch.no_grad():
            expected = case.models[0](*case.asked[0])
        given = case.answered[0]
        if not close(given, expected):
            place = (~torch.isclose(given, expected, rtol=1e-4, atol=1e-5)).nonzero()[0].tolist()
            batch, rows, way = given.shape[:3]
            raise Failure(
                "With given weights the predictions should be those of the handout's network: "
                "support images with their labels, row by row, then query images with zeros. "
                f"For B = {batch}, K = {rows - 1}, N = {way} yours differ first at {place} of "
                "[task, row, image, class].",
                cases[0],
            )
    raise Failure(
        "With given weights the predictions should be those of the handout's network; they are in "
        "a first call, and are not in a second call of the same network.",
        cases[0],
    )


def test_query_labels(context):
    """Other query labels, one-hot or none at all, change no prediction."""
    for number, (batch, shot, way) in enumerate([(2, 1, 3), (1, 2, 4)]):
        random = context.random(3, number)
        weights = make_weights(way, random)
        images, labels = make_tasks(batch, shot, way, random)
        tasks = [(images, labels)]
        for other in (labels[:, -1].roll(1, dims=1), torch.zeros_like(labels[:, -1])):
            changed = labels.clone()
            changed[:, -1] = other
            tasks.append((images, changed))
        for training in (True, False):
            # A network each, so that one that remembers is not taken for one that looks.
            given = [
                predictions(ask(context, shot, way, [task], weights, training=training)[1])[0]
                for task in tasks
            ]
            if not all(torch.allclose(given[0], other, atol=1e-6) for other in given[1:]):
                models = [ours(weights, shot, way, layout) for layout in LAYOUTS]
                evidence = ForwardCase(models, tasks, given) if context.same_layers else None
                raise Failure(
                    "The predictions should not depend on the query labels; they change when the "
                    "labels of the last row are exchanged"
                    f"{'' if training else ' and the network is in evaluation mode'}.",
                    evidence,
                )


def test_support_labels(context):
    """Other support labels change the predictions for the query images."""
    batch, shot, way = 2, 1, 3
    random = context.random(4)
    weights = make_weights(way, random)
    images, labels = make_tasks(batch, shot, way, random)
    changed = labels.clone()
    changed[:, :-1] = changed[:, :-1].roll(1, dims=2)
    before, after = (
        predictions(ask(context, shot, way, [(images, some)], weights)[1])[0][:, -1]
        for some in (labels, changed)
    )
    if torch.allclose(before, after, atol=1e-6):
        raise Failure(
            "The predictions for the query images should depend on the support labels; they are "
            "the same when the support labels are exchanged."
        )


def test_inputs(context):
    """The images and labels that forward was given are unchanged after it."""
    random = context.random(5)
    tasks = make_tasks(2, 1, 3, random)
    _, values = ask(context, 1, 3, [tasks], make_weights(3, random))
    changed = {
        part: not np.array_equal(values.get(f"{part}0"), given.numpy())
        for part, given in zip(("images", "labels"), tasks, strict=True)
    }
    if any(changed.values()):
        names = " and ".join(part for part, different in changed.items() if different)
        raise Failure(
            f"forward should leave its inputs as they are; it changes the {names}.", changed
        )


def test_gradient(context, layout):
    """Both layers get a gradient, and it is the network's."""
    batch, shot, way = 2, 2, 3
    random = context.random(6)
    weights = make_weights(way, random)
    tasks = make_tasks(batch, shot, way, random)
    direction = torch.randn(tasks[1].shape, generator=random)
    _, values = ask(context, shot, way, [tasks], weights, direction)
    gradients = {
        name.removeprefix("gradient."): torch.tensor(value)
        for name, value in values.items()
        if name.startswith("gradient.")
    }
    reached = {
        layer: any(
            bool(gradient.any()) for name, gradient in gradients.items() if name.startswith(layer)
        )
        for layer in ("layer1", "layer2")
    }
    if not all(reached.values()):
        missing = " and ".join(layer for layer, there in reached.items() if not there)
        raise Failure(f"Both layers should get a gradient; {missing} gets none.", reached)
    if layout:
        model = ours(weights, shot, way, layout)
        (layout.run(hw1.MANN.forward, model, *tasks) * direction).sum().backward()
        expected = {name: parameter.grad for name, parameter in model.named_parameters()}
        for name, gradient in layout.from_ours(expected).items():
            scale = float(gradient.abs().max())
            if name not in gradients or not torch.allclose(
                gradients[name], gradient, rtol=1e-3, atol=1e-4 * scale
            ):
                raise Failure(
                    f"The predictions are right, their gradient is not: that of {name} differs, as "
                    "if the graph were cut somewhere in forward."
                )


def test_batch(context):
    """A task gets the same predictions alone as among others."""
    random = context.random(7)
    weights = make_weights(3, random)
    images, labels = make_tasks(3, 1, 3, random)
    together = predictions(ask(context, 1, 3, [(images, labels)], weights)[1])[0]
    for task in range(3):
        one = images[task : task + 1], labels[task : task + 1]
        alone = predictions(ask(context, 1, 3, [one], weights)[1])[0]
        if not close(alone, together[task : task + 1]):
            raise Failure(
                "A task should get the same predictions alone and in a batch; those of task "
                f"{task} differ, so tasks get mixed up."
            )
