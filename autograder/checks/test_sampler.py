"""Problem 1. Every image is looked up in the data; nothing that the sampler says is believed.

Where tasks are counted, a correct sampler fails a comparison with a probability of at most 1e-9
(`chance.UNLIKELY`), and a docstring says how many comparisons there are.
"""

import numpy as np
import pytest

from autograder.chance import improbable
from autograder.judge import Failure
from autograder.mistakes.sampler import ShapeCase, ordered, query_places, repeats
from autograder.tasks import UNKNOWN, Tasks

SIZES = [(1, 2), (2, 3), (3, 5), (1, 20)]  # K, N
COUNT = 60  # tasks of each size


@pytest.fixture(scope="session")
def tasks(context) -> list[Tasks]:
    """Training tasks of all sizes."""
    return [context.draw(shot, way, "train", COUNT) for shot, way in SIZES]


def test_shapes(context, show):
    """Shapes, finite numbers, and ink that differs from paper, for K = 1, 2, 3 and N up to 20."""
    for shot, way in SIZES:
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
        if contrast < 0.5:
            raise Failure(
                f"Ink and paper should differ by 1 (or 255); all pixels lie between "
                f"{images.min():.4g} and {images.max():.4g}.",
                case,
            )
    drawn = context.draw(2, 3, "train", COUNT)
    nothing = np.zeros(drawn.characters.shape, bool)
    show(task=drawn.picture(nothing, "A task that your sampler drew."))


def test_one_hot(tasks):
    """Every label is one-hot; every row has every class once."""
    for some in tasks:
        if not some.one_hot.all():
            raise Failure(
                f"Every label should be one-hot, a 1 among zeros; for {size(some)} one is "
                f"{some.labels[~some.one_hot][0].tolist()}.",
                tasks,
                some.picture(~some.one_hot, "A label that is not one-hot is marked."),
            )
        wrong = np.sort(some.classes) != np.arange(some.way)
        if wrong.any():
            raise Failure(
                f"Each row should have each of the {some.way} classes once; for {size(some)} a row "
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
                f"{size(some)} a row has the classes "
                f"{some.classes[wrong.any(axis=-1)][0].tolist()}.",
                tasks,
                some.picture(wrong, "Support labels out of order are marked."),
            )


def test_labels_match(tasks):
    """All images are in the data, and those of one class show one character."""
    for some in tasks:
        unknown = some.characters == UNKNOWN
        if unknown.any():
            raise Failure(
                f"Images should be those of the data folder; for {size(some)} "
                f"{unknown.mean():.0%} of them are not, even if ink and paper are exchanged.",
                None,
                some.picture(unknown, "Images that are not in the data are marked."),
            )
    for some in tasks:
        first = some.classes[:, 0, None, None, :] == some.classes[:, :, :, None]
        expected = (some.characters[:, 0, None, None, :] * first).max(axis=-1)
        wrong = (some.characters != expected) | ~first.any(axis=-1)
        if wrong.any():
            raise Failure(
                f"Images with the same label should show the same character; for {size(some)} this "
                f"is not so in {wrong.any(axis=(1, 2)).mean():.0%} of the tasks.",
                tasks,
                some.picture(wrong, "Images of another character than the first row's are marked."),
            )


def test_distinct_characters(tasks, context):
    """The N characters of a task differ, also among the 100 of the validation split.

    Drawing with replacement repeats one in 87 % of 20-way tasks there; 60 of them are drawn.
    """
    for some in [*tasks, context.draw(1, 20, "val", 240)]:
        row = np.sort(some.characters[:, 0])
        repeated = (np.diff(row) == 0).any(axis=-1)
        if repeated.any():
            same = some.characters[:, 0, :, None] == some.characters[:, 0, None, :]
            wrong = np.zeros(some.characters.shape, bool)
            wrong[:, 0] = same.sum(axis=-1) > 1
            raise Failure(
                f"The {some.way} characters of a task should be different; in "
                f"{repeated.mean():.0%} of the tasks with {size(some)} one comes twice.",
                [some],
                some.picture(wrong, "The same character as two classes is marked."),
            )


def test_distinct_images(tasks, context):
    """No image comes twice in a task; images that look alike in the data count as often as there.

    A query drawn apart from the support set is in it in 14 % of 3-way 1-shot tasks; 2,000 of them
    are drawn.
    """
    for some in [*tasks, context.train_tasks]:
        known = some.characters != UNKNOWN
        wrong = repeats(some.patterns, some) & known
        if wrong.any():
            raise Failure(
                f"The K+1 images of a character should be different ones; in "
                f"{wrong.any(axis=(1, 2)).mean():.0%} of the tasks with {size(some)} one image "
                f"comes twice.",
                tasks,
                some.picture(wrong, "Images that come twice are marked."),
            )


def test_query_order(context):
    """Every order of the query row is equally likely, whatever else is known.

    2,000 tasks with N = 3 and 54 comparisons, so a correct sampler fails with a probability below
    6e-8: the 6 orders relative to the support row; the 6 relative to the order of the characters
    in the data; the 36 pairs of the orders of a task and the next; the 6 orders in the last
    quarter of the tasks. Leaving the row unshuffled in one task of ten is found with more than
    99.9 %.
    """
    some = context.train_tasks
    places = query_places(some)
    usable = (np.sort(places) == np.arange(3)).all(axis=-1)
    if usable.mean() < 0.5:
        raise Failure(
            "The query row should have the characters of the support row in another order; in "
            f"{1 - usable.mean():.0%} of the tasks it has others.",
            [some],
        )
    if usable.all() and ordered(places).all():
        wrong = np.zeros(some.characters.shape, bool)
        wrong[:, -1] = True
        raise Failure(
            "The query row should be shuffled; in all of 2,000 tasks it has the order of the "
            "support row.",
            [some],
            some.picture(wrong, "The query row is in the order of the support row."),
        )
    weights = np.array([9, 3, 1])
    relative = (places @ weights)[usable]
    by_character = (some.characters[:, -1].argsort(axis=-1) @ weights)[usable]
    orders = np.unique([np.array(p) @ weights for p in PERMUTATIONS])
    for what, seen in (
        ("relative to the support row", relative),
        ("relative to the names of the characters", by_character),
        ("after many tasks", relative[-len(relative) // 4 :]),
    ):
        counts = np.array([(seen == order).sum() for order in orders])
        if any(improbable(int(count), len(seen), 1 / 6) for count in counts):
            raise Failure(
                f"With N = 3 each of the 6 orders of the query row should come about "
                f"{len(seen) // 6} times in {len(seen)} tasks; {what} they come "
                f"{', '.join(map(str, sorted(counts)[::-1]))} times.",
                [some],
            )
    pairs = np.stack([relative[0:-1:2], relative[1::2]])
    counts = [(pairs == np.array([[a], [b]])).all(axis=0).sum() for a in orders for b in orders]
    if any(improbable(int(count), pairs.shape[1], 1 / 36) for count in counts):
        raise Failure(
            "The order of the query row should be drawn anew in every task; it depends on the "
            "order in the task before.",
            [some],
        )


PERMUTATIONS = [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)]


def test_split(context):
    """Splits share no character, have the published sizes, and are used to the last image.

    2,000 training, 240 20-way validation and 200 test tasks. A correct sampler leaves one of the
    100 validation characters out with a probability below 1e-21; the two other counts are
    compared at 1e-9 each.
    """
    train = context.train_tasks
    val, test = context.draw(1, 20, "val", 240), context.draw(1, 5, "test", 200)
    evidence = [train, val, test]
    if any((tasks.characters == UNKNOWN).any() for tasks in evidence):
        raise Failure("The characters of a split cannot be told: some images are not in the data.")
    if len(np.unique(train.patterns[:, 0], axis=0)) < len(train.patterns) / 2:
        raise Failure("Tasks should be drawn anew; the same ones come again.", evidence)
    seen = {tasks.split: set(tasks.characters.flat) for tasks in evidence}
    for one, other in (("train", "test"), ("train", "val"), ("val", "test")):
        if common := len(seen[one] & seen[other]):
            raise Failure(
                f"The {one} and {other} splits should have no character in common; they have "
                f"{common}.",
                evidence,
            )
    for tasks in evidence:
        size = len(context.library.store.split("cs330", tasks.split))
        unseen = size - len(seen[tasks.split])
        missed = (1 - tasks.way / size) ** len(tasks.characters)
        if unseen < 0:
            raise Failure(
                f"The {tasks.split} split has {size} characters; tasks have {-unseen} more.",
                evidence,
            )
        if unseen > size * missed and improbable(unseen, size, missed):
            raise Failure(
                f"All {size} characters of the {tasks.split} split should be used; {unseen} never "
                f"come in {len(tasks.characters)} tasks.",
                evidence,
            )
    images = sum(
        int(context.library.copies[numbers].sum())
        for numbers in [np.flatnonzero(np.isin(context.library.characters, list(seen["val"])))]
    )
    drawn = int(context.library.copies[np.unique(val.patterns)].sum())
    missed = (1 - val.patterns[0].size / images) ** len(val.patterns)
    if images - drawn > images * missed and improbable(images - drawn, images, missed):
        raise Failure(
            f"All {images} images of the val split should be used; {images - drawn} never come in "
            f"{len(val.patterns)} tasks.",
            evidence,
        )


def test_loader(context):
    """A DataLoader stacks tasks, in this process and in workers."""
    for workers in (0, 2):
        header = {"shot": 1, "way": 3, "batch_size": 4, "workers": workers}
        _, given = context.student.ask("batch", header)
        shapes = [list(part.shape) for part in given.values()]
        if shapes != [[1, 4, 2, 3, 784], [1, 4, 2, 3, 3]]:
            raise Failure(
                f"A batch of 4 tasks should have the shapes [4, 2, 3, 784] and [4, 2, 3, 3]; with "
                f"{workers} workers it has {' and '.join(str(shape[1:]) for shape in shapes)}."
            )


def size(tasks: Tasks) -> str:
    """K and N in words."""
    return f"K = {tasks.shot}, N = {tasks.way}"
