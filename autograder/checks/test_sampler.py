"""Problem 1, as far as one task tells. Every image is looked up in the data."""

import numpy as np

from autograder.judge import Failure
from autograder.mistakes.sampler import ShapeCase
from autograder.questions import SAMPLE_COUNT, SAMPLE_SIZES


def test_shapes(context, show):
    """Shapes, finite numbers, and ink that differs from paper, for K = 1, 2, 3 and N up to 20."""
    for shot, way in SAMPLE_SIZES:
        given = context.ask_sample(shot, way, "train", 2)
        images, labels = given["images"], given["labels"]
        contrast = float(images.max()) - float(images.min()) if images.size else 0.0
        case = ShapeCase(shot + 1, way, images.shape[1:], labels.shape[1:], contrast)
        expected = (shot + 1, way, 784), (shot + 1, way, way)
        if (case.images, case.labels) != expected:
            raise Failure(
                f"For K = {shot}, N = {way} the shapes should be {list(expected[0])} and "
                f"{list(expected[1])}; they are {list(case.images)} and {list(case.labels)}.",
                case,
            )
        if not (np.isfinite(images).all() and np.isfinite(labels).all()):
            raise Failure("Images and labels should be finite numbers; there are others.")
        if not 0.5 <= contrast <= 300:
            raise Failure(
                f"Ink and paper should differ by 1 (or 255); all pixels lie between "
                f"{images.min():.4g} and {images.max():.4g}.",
                case,
            )
    drawn = context.draw(2, 3, "train", SAMPLE_COUNT)
    nothing = np.zeros(drawn.characters.shape, bool)
    show(task=drawn.picture(nothing, "A task that your sampler drew."))


def test_one_hot(tasks):
    """Every label is one-hot; every row has every class once."""
    for some in tasks:
        if not some.one_hot.all():
            raise Failure(
                f"Every label should be one-hot, a 1 among zeros; for {some.size} one is "
                f"{some.labels[~some.one_hot][0].tolist()}.",
                tasks,
                some.picture(~some.one_hot, "A label that is not one-hot is marked."),
            )
        wrong = np.sort(some.classes) != np.arange(some.way)
        if wrong.any():
            raise Failure(
                f"Each row should have each of the {some.way} classes once; for {some.size} a row "
                f"has the classes {some.classes[wrong.any(axis=-1)][0].tolist()}.",
                tasks,
                some.picture(wrong, "A row without some of the classes is marked."),
            )


def test_support_order(tasks):
    """In every support row the labels are those of class 0, 1, …, N-1."""
    for some in tasks:
        wrong = some.classes != np.arange(some.way)
        wrong[:, -1] = False
        if wrong.any():
            raise Failure(
                f"labels[k, n] should be the one-hot vector of n in each support row k; for "
                f"{some.size} a row has the classes "
                f"{some.classes[wrong.any(axis=-1)][0].tolist()}.",
                tasks,
                some.picture(wrong, "Support labels out of order are marked."),
            )


def test_loader(context):
    """A DataLoader stacks different tasks, in this process and in workers."""
    for workers in (0, 2):
        header = {"shot": 1, "way": 3, "batch_size": 4, "workers": workers}
        _, given = context.student.ask("batch", header)
        shapes = [list(given.get(part, np.zeros(0)).shape) for part in ("images", "labels")]
        if shapes != [[1, 4, 2, 3, 784], [1, 4, 2, 3, 3]]:
            raise Failure(
                f"A batch of 4 tasks should have the shapes [4, 2, 3, 784] and [4, 2, 3, 3]; with "
                f"{workers} workers it has {' and '.join(str(shape[1:]) for shape in shapes)}."
            )
        tasks = given["images"][0]
        if (tasks == tasks[0]).all():
            raise Failure(
                "The tasks of a batch should be drawn one by one; all 4 are the same one, with "
                f"{workers} workers."
            )
