"""Sampler, forward and loss together: do they learn to tell characters apart?

Training goes on from a checkpoint that the kit ships, the reference, trained to the end, with a
second layer that is new, or from the submission's own initialisation. What it has learnt comes back
as weights, and the judge measures them itself, on tasks that the submission never sees: half of
characters that its training tasks do not show, half of characters that were drawn for this grading
alone.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
import torch

from autograder.context import Context
from autograder.judge import Failure, NotGraded
from autograder.layout import Layout, Weights
from autograder.mistakes.hidden.sampler import query_places
from autograder.mistakes.sampler import ordered
from autograder.record import Curve
from autograder.secret import secret_tasks
from autograder.starter import starter_texts
from autograder.student import StudentError
from solutions import hw1

CHECKPOINTS = Path(__file__).parents[2] / "checkpoints"
HIDDEN = 128
POINTS = 4  # of the curve, after the first
ON_THE_WAY, AT_THE_END = 500, 2000  # secret tasks behind a point of the curve
TRIES, NEAR = 2, 0.03  # trainings, if the first ends this far below the threshold at most
SEEN = 40  # of the submission's tasks, that are looked at before a training
RISE = 0.05  # the part of the steps in which the learning rate rises

SecretTasks = Iterable[tuple[torch.Tensor, torch.Tensor]]  # images and labels

NAMES = ["1_shot_2_way", "2_shot_2_way", "1_shot_3_way", "1_shot_4_way"]


@pytest.mark.parametrize("setting", NAMES, ids=NAMES)
def test_accuracy(context, setting, check, failed, show):
    """The query accuracy on 2,000 secret tasks passes the threshold.

    One training of the reference falls short with a probability of some millionths; near the
    threshold a second one, on other tasks, decides. docs/grading.md has the figures.

    The checkpoint goes with the handout's layers and loss. With another loss a network may learn
    from the checkpoint alone, or from its initialisation alone; only the latter is its own work.
    So another loss is trained from there, and if that comes to nothing, once.
    """
    if context.train == "off":
        raise NotGraded("Not graded: --train off leaves the training out.")
    numbers = " and ".join(one.number for one in failed)
    first = f" This check is waiting for {numbers}: mend that first." if failed else ""
    if context.never_shuffles or unshuffled(context, check.settings):
        raise Failure(
            "Where the query row is not shuffled a network learns places instead of characters, "
            f"so this was not tried.{first}"
        )
    if context.never_learns:
        raise Failure(
            f"With this loss another setting was not learnt, so this was not tried.{first}"
        )
    other_loss = any(one.part == "loss" for one in failed)
    resume = context.train == "resume" and not other_loss
    threshold = check.settings["threshold"]
    for number in range(TRIES):
        curve = learn(context, setting, check.settings, number, resume)
        reached = curve.accuracies[-1]
        if not threshold - NEAR < reached <= threshold:
            break
    context.never_learns = other_loss and reached <= threshold
    said = f"{reached:.3f} ± {curve.interval:.3f} on {AT_THE_END:,} tasks of unseen characters"
    show(curve=curve, message=f"The query accuracy is {said}.")
    if reached <= threshold:
        raise Failure(f"The query accuracy should pass {threshold:.2f}; it is {said}.{first}")


def unshuffled(context: Context, settings: dict) -> bool:
    """Whether training tasks have the query row in the order of the support row, all that are seen.

    With N = 2 a correct sampler's have with a probability of 1e-12.
    """
    tasks = context.draw(settings["shot"], settings["way"], "train", SEEN)
    return bool(ordered(query_places(tasks)).all())


def learn(context: Context, setting: str, settings: dict, number: int, resume: bool) -> Curve:
    """Train once, from the checkpoint or from the start, and measure on the way and at the end."""
    shot, way = settings["shot"], settings["way"]
    plan = settings["resume" if resume else "scratch"] | {"number": number}
    start = read_checkpoint(setting) if resume else None

    keep = [round(plan["steps"] * point / POINTS) for point in range(1, POINTS + 1)]
    values = train(context, shot, way, plan, keep, start)
    losses = values.get("losses", np.zeros(0)).ravel()
    if len(losses) != plan["steps"] or not np.isfinite(losses).all():
        bad = int((~np.isfinite(losses)).argmax()) + 1 if len(losses) else 0
        raise Failure(f"The training loss is no finite number at step {bad}.")

    shapes = {name: w.shape for name, w in hw1.MANN(way, shot + 1, HIDDEN).state_dict().items()}
    learnt = {step: weights_at(values, step, shapes, context.layout) for step in keep}
    if all(torch.equal(learnt[keep[0]][name], learnt[keep[-1]][name]) for name in shapes):
        raise Failure("The weights should change in training; they are the same at every step.")
    if start:
        learnt = {0: start} | learnt
    counts = dict.fromkeys(learnt, ON_THE_WAY) | {keep[-1]: AT_THE_END}
    right = {
        step: measure(weights, secret_tasks(context, shot, way, counts[step], number))
        for step, weights in learnt.items()
    }
    final = right[keep[-1]]
    return Curve(
        steps=list(right),
        accuracies=[float(tasks.mean()) for tasks in right.values()],
        interval=1.96 * float(final.std()) / len(final) ** 0.5,
        threshold=settings["threshold"],
        losses=[float(loss) for loss in losses],
    )


def read_checkpoint(setting: str) -> Weights:
    """The weights of the network that the kit ships."""
    with np.load(CHECKPOINTS / f"{setting}.npz") as saved:
        return {name: torch.tensor(saved[name]).float() for name in saved.files}


def train(
    context: Context, shot: int, way: int, plan: dict, keep: list[int], start: Weights | None
) -> dict[str, np.ndarray]:
    """Let the submission train; its losses, and its weights at the steps to keep."""
    seen = context.draw(shot, way, "train", SEEN)
    header = {"shot": shot, "way": way, "hidden": HIDDEN, "keep": keep}
    header |= {"rise": round(RISE * plan["steps"]), "seed": context.student.seed + plan["number"]}
    header |= {"steps": plan["steps"], "batch": plan["batch"], "learning_rate": plan["rate"]}
    header |= {"paper": seen.paper, "ink": seen.ink, "scale": 1 / context.layout.scale}
    header |= {"given": starter_texts()}
    laid_out = context.layout.from_ours(start) if start else {}
    arrays = {name: weight.numpy() for name, weight in laid_out.items()}
    return context.student.ask("train", header, arrays, context.progress)[1]


def weights_at(
    values: dict[str, np.ndarray], step: int, shapes: dict[str, torch.Size], layout: Layout
) -> Weights:
    """The weights that came back, as those of our network."""
    given = {name: torch.tensor(values.get(f"{step}.{name}", np.zeros(0))) for name in shapes}
    weights = {name: weight.float() for name, weight in given.items()}  # it may compute in doubles
    for name, weight in weights.items():
        if weight.shape != shapes[name]:
            raise StudentError("Training gave back weights that are not those of the network.")
    return layout.to_ours(weights, shapes["layer2.bias_ih_l0"][0] // 4)


@torch.no_grad()
def measure(weights: Weights, tasks: SecretTasks) -> np.ndarray:
    """The query accuracy of each secret task, by our own network with these weights: [tasks].

    It puts zeros in the place of the query's labels.
    """
    way = weights["layer2.bias_ih_l0"].shape[0] // 4
    model = hw1.MANN(way, 2, HIDDEN)
    model.load_state_dict(weights)
    right = []
    for images, labels in tasks:
        answers = model(hw1.soften(images), labels)[:, -1].argmax(-1)
        right.append((answers == labels[:, -1].argmax(-1)).float().mean(dim=-1))
    return torch.cat(right).numpy()
