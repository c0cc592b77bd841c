"""Problem 2a, with weights and tasks that the judge chooses; `layout` says what may differ."""

import numpy as np
import pytest
import torch

from autograder.context import Context
from autograder.judge import Failure
from autograder.layout import LAYOUTS, Layout, close
from autograder.mistakes.hidden.forward import ForwardCase
from autograder.questions import (
    HIDDEN,
    Weights,
    ask_forward,
    expect_layers,
    make_tasks,
    make_weights,
    predict,
)
from autograder.student import StudentError
from solutions import hw1

SIZES = [(3, 2, 3), (1, 1, 2), (2, 1, 5), (2, 3, 4)]  # B, K, N; the first has K > 1 and N > 2


def ours(weights: Weights, shot: int, way: int, layout: Layout) -> hw1.MANN:
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
        _, values = ask_forward(context, shot, way, tasks, weights, training=number % 2 == 0)
        models = [ours(weights, shot, way, layout) for layout in LAYOUTS]
        answered = [torch.tensor(values[f"predictions{call}"]) for call in range(len(tasks))]
        cases.append(ForwardCase(models, tasks, answered))
    return cases


@pytest.fixture(scope="session")
def layout(context, cases) -> Layout | None:
    """The layout in which our network gives the same answers; None if there is none."""
    for number, layout in enumerate(LAYOUTS):
        if all(agrees(case, layout, number) for case in cases):
            if layout.scale != 1 and not up_to_255(context):
                return None
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
    """Whether the submission's images go up to 255, so that `forward` may divide.

    Without any images it may as well: what is wrong with Problem 1 costs nothing here.
    """
    try:
        images = context.ask_sample(1, 2, "train", 2)["images"]
    except StudentError:
        return True
    return not images.size or float(images.max()) - float(images.min()) > 2


@pytest.fixture(scope="session")
def influences(context, layout) -> list[str]:
    """What changes the predictions in a process that has not seen a task, and should not.

    A submission that remembers its answers could hide that from questions to one process. A new
    one takes a second to start, and a network that has a layout is ours, so only others are asked.
    """
    if layout:
        return []
    random = context.random(8)
    weights = make_weights(3, random)
    images, labels = make_tasks(3, 1, 3, random)
    changed = labels.clone()
    changed[:, -1] = labels[:, -1].roll(1, dims=1)
    before = predict(context, 1, 3, (images, labels), weights, training=False)
    context.student.end()
    alone, other = (
        predict(context, 1, 3, task, weights, training=False)
        for task in ((images[:1], labels[:1]), (images, changed))
    )
    found = {"other tasks": close(alone, before[:1]), "query labels": close(other, before)}
    return [what for what, same in found.items() if not same]


def test_value(cases, layout, context):
    """Equal to our network, whichever way the handout leaves open was taken."""
    if layout:
        expect_any_batch(context, layout)
        return
    random = context.random(10)
    tasks = make_tasks(1, 1, 3, random)
    expect_layers(ask_forward(context, 1, 3, [tasks], make_weights(3, random))[0])
    number = most_agree(cases)
    if all(agrees(case, LAYOUTS[number], number) for case in cases):
        raise Failure(
            "With given weights the predictions should be those of the handout's network; they are "
            "those of images divided by 255.",
            cases[0],
        )
    for case in cases:
        with torch.no_grad():
            expected = LAYOUTS[number].run(hw1.MANN.forward, case.models[number], *case.asked[0])
        given = case.answered[0]
        if not close(given, expected):
            place = (~torch.isclose(given, expected, rtol=1e-4, atol=1e-5)).nonzero()[0].tolist()
            batch, rows, way = given.shape[:3]
            raise Failure(
                "With given weights the predictions should be those of the handout's network: "
                "support images with their labels, row by row, then query images with zeros. "
                f"For B = {batch}, K = {rows - 1}, N = {way} yours differ first at {place} of "
                "[task, row, image, class].",
                case,
            )
    raise Failure(
        "With given weights the predictions should be those of the handout's network; they are in "
        "a first call, and are not in a second call of the same network.",
        next(case for case in cases if not agrees(case, LAYOUTS[number], number)),
    )


def expect_any_batch(context: Context, layout: Layout) -> None:
    """Raise a Failure unless one network answers batches of two sizes, as a last one is smaller."""
    random = context.random(9)
    weights = make_weights(3, random)
    tasks = [make_tasks(batch, 1, 3, random) for batch in (3, 2)]
    _, values = ask_forward(context, 1, 3, tasks, weights)
    model = ours(weights, 1, 3, layout)
    for call, (images, labels) in enumerate(tasks):
        with torch.no_grad():
            expected = layout.run(hw1.MANN.forward, model, images, labels)
        if not close(torch.tensor(values[f"predictions{call}"]), expected):
            raise Failure(
                "The same network should take batches of any size; after a batch of "
                f"{len(tasks[0][0])} tasks its predictions for {len(tasks[1][0])} are others."
            )


def most_agree(cases: list[ForwardCase]) -> int:
    """The number of the layout in which most cases are right."""
    right = [sum(agrees(case, layout, i) for case in cases) for i, layout in enumerate(LAYOUTS)]
    return right.index(max(right))


def test_query_labels(context, influences):
    """Other query labels change no prediction. They are one-hot, as forward may rely on."""
    for number, (batch, shot, way) in enumerate([(2, 1, 3), (1, 2, 4)]):
        random = context.random(3, number)
        weights = make_weights(way, random)
        images, labels = make_tasks(batch, shot, way, random)
        tasks = [(images, labels)]
        for places in (1, 2):
            changed = labels.clone()
            changed[:, -1] = labels[:, -1].roll(places, dims=1)
            tasks.append((images, changed))
        for training in (True, False):
            # A network each, so that one that remembers is not taken for one that looks.
            given = [
                predict(context, shot, way, task, weights, training=training) for task in tasks
            ]
            if not all(torch.allclose(given[0], other, atol=1e-6) for other in given[1:]):
                models = [ours(weights, shot, way, layout) for layout in LAYOUTS]
                raise Failure(
                    "The predictions should not depend on the query labels; they change when the "
                    "labels of the last row are exchanged"
                    f"{'' if training else ' and the network is in evaluation mode'}.",
                    ForwardCase(models, tasks, given),
                )
    if "query labels" in influences:
        raise Failure(
            "The predictions should not depend on the query labels; in a new process they do."
        )


def test_inputs(context):
    """The images and labels that forward was given are unchanged after it."""
    for number, (shot, training) in enumerate([(1, True), (2, True), (1, False), (2, False)]):
        random = context.random(5, number)
        tasks = make_tasks(2, shot, 3, random)
        weights = make_weights(3, random)
        _, values = ask_forward(context, shot, 3, [tasks], weights, training=training)
        changed = {
            part: not np.array_equal(values.get(f"{part}0"), given.numpy())
            for part, given in zip(("images", "labels"), tasks, strict=True)
        }
        if any(changed.values()):
            names = " and ".join(part for part, different in changed.items() if different)
            when = "" if training else " when the network is in evaluation mode"
            raise Failure(
                f"forward should leave its inputs as they are; it changes the {names}{when}.",
                changed,
            )


def test_batch(context, influences):
    """A task gets the same predictions alone as among others."""
    random = context.random(7)
    weights = make_weights(3, random)
    images, labels = make_tasks(3, 1, 3, random)
    _, values = ask_forward(context, 1, 3, [(images, labels)] * 2, weights)
    together, again = (torch.tensor(values[f"predictions{call}"]) for call in range(2))
    if not close(again, together):
        raise Failure(
            "The same network should give a batch the same predictions whenever it is asked; the "
            "second time they are others."
        )
    for task in range(3):
        one = images[task : task + 1], labels[task : task + 1]
        alone = predict(context, 1, 3, one, weights)
        if not close(alone, together[task : task + 1]):
            raise Failure(
                "A task should get the same predictions alone and in a batch; those of task "
                f"{task} differ, so tasks get mixed up."
            )
    if "other tasks" in influences:
        raise Failure(
            "A task should get the same predictions alone and in a batch; in a new process it "
            "does not."
        )
