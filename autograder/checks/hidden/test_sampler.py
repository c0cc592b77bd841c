"""Problem 1. Every image is looked up in the data; nothing that the sampler says is believed.

Where tasks are counted, a correct sampler fails a comparison with a probability of at most 1e-9
(`chance.UNLIKELY`), and a docstring says how many comparisons there are.
"""

import math

import numpy as np

from autograder.chance import improbable
from autograder.context import Context
from autograder.judge import Failure
from autograder.mistakes.hidden.sampler import query_places, repeats
from autograder.mistakes.sampler import ordered
from autograder.tasks import UNKNOWN, Tasks


def other_splits(context: Context) -> list[Tasks]:
    """Tasks of the other two splits, in which all holds that holds in training."""
    return [context.draw(1, 20, "val", 240), context.draw(1, 5, "test", 200)]


def test_labels_match(tasks, context):
    """All images are in the data, those of one class show one character, whatever the split."""
    others = other_splits(context)
    for some in [*tasks, *others]:
        unknown = some.characters == UNKNOWN
        if unknown.any():
            raise Failure(
                f"Images should be those of the data folder; for {some.kind} "
                f"{unknown.mean():.0%} of them are not, even if ink and paper are exchanged.",
                None,
                some.picture(unknown, "Images that are not in the data are marked."),
            )
        if some.grey.any():
            raise Failure(
                "Images should be those of the data folder, each pixel ink or paper; for "
                f"{some.kind} {some.grey.mean():.0%} of them have pixels between the two.",
                None,
                some.picture(some.grey, "Images that have other pixels are marked."),
            )
    for some in [*tasks, *others]:
        first = some.classes[:, 0, None, None, :] == some.classes[:, :, :, None]
        expected = (some.characters[:, 0, None, None, :] * first).max(axis=-1)
        wrong = (some.characters != expected) | ~first.any(axis=-1)
        if wrong.any():
            raise Failure(
                f"Images with the same label should show the same character; for {some.kind} this "
                f"is not so in {wrong.any(axis=(1, 2)).mean():.0%} of the tasks.",
                tasks if some.split == "train" else [some],
                some.picture(wrong, "Images of another character than the first row's are marked."),
            )
    if any(misplaced(some).any() for some in tasks):
        return  # which public checks have told
    for some in others:
        wrong = misplaced(some)
        if wrong.any():
            raise Failure(
                f"The labels of a task should be one-hot and in order in every split; for "
                f"{some.kind} they are not in {wrong.any(axis=(1, 2)).mean():.0%} of the tasks.",
                None,
                some.picture(wrong, "Labels that should not be there are marked."),
            )


def misplaced(tasks: Tasks) -> np.ndarray:
    """Labels that are not one-hot, out of order, or come twice in a query row: bool [T, K+1, N]."""
    wrong = ~tasks.one_hot | (np.sort(tasks.classes) != np.arange(tasks.way))
    wrong[:, :-1] |= tasks.classes[:, :-1] != np.arange(tasks.way)
    return wrong


def test_distinct_characters(tasks, context):
    """The N characters of a task differ, also among the 100 of the validation split.

    Drawing with replacement repeats one in 87 % of 20-way tasks there; 240 of them are drawn.
    """
    for some in [*tasks, *other_splits(context)]:
        expect_known([some], "of a task")
        # Of the whole task: which row and class a character is in is another check's question.
        repeated = different(some.characters) < some.way
        if repeated.any():
            same = some.characters[:, 0, :, None] == some.characters[:, 0, None, :]
            wrong = np.zeros(some.characters.shape, bool)
            wrong[:, 0] = same.sum(axis=-1) > 1
            raise Failure(
                f"The {some.way} characters of a task should be different; in "
                f"{repeated.mean():.0%} of the tasks with {some.kind} one comes twice.",
                [some],
                some.picture(wrong, "The same character as two classes is marked."),
            )


def test_distinct_images(tasks, context):
    """No image comes twice in a task; images that look alike in the data count as often as there.

    A query drawn apart from the support set is in it in 14 % of 3-way 1-shot tasks; 2,000 of them
    are drawn. Tasks in which a character is two classes are 1.5's, and not looked at here.
    """
    for some in [*tasks, context.train_tasks, *other_splits(context)]:
        expect_known([some], "of a task")
        wrong = repeats(some.patterns, some) & proper(some)[:, None, None]
        if wrong.any():
            evidence = tasks if some.split == "train" else [some]
            raise Failure(
                f"The K+1 images of a character should be different ones; in "
                f"{wrong.any(axis=(1, 2)).mean():.0%} of the tasks with {some.kind} one image "
                f"comes twice.",
                [kept for kept in (one.where(proper(one)) for one in evidence) if len(kept.bits)],
                some.picture(wrong, "Images that come twice are marked."),
            )


def proper(tasks: Tasks) -> np.ndarray:
    """Which tasks have N different characters: bool [T]."""
    return different(tasks.characters) >= tasks.way


def test_query_order(tasks, context):
    """Every order of the query row is equally likely, whatever else is known.

    2,000 tasks with N = 3 and 90 comparisons, and one for each of 6 kinds, so a correct sampler
    fails with a probability below 1e-7: the 6 orders relative to the support row; the 6 relative
    to the order of the characters in the data; twice the 36 pairs of the orders of a task and the
    next; the 6 orders in the last quarter of the tasks; how often tasks of other sizes and of the
    other splits keep the order of the support row. Leaving the row unshuffled in one task of ten is
    found with more than 99.9 %.
    """
    some = context.train_tasks
    evidence = [some, *tasks]
    expect_known(evidence, "of a task")
    places = query_places(some)
    usable = (np.sort(places) == np.arange(3)).all(axis=-1)
    if usable.mean() < 0.5:
        raise Failure(
            "The query row should have the characters of the support row in another order; in "
            f"{1 - usable.mean():.0%} of the tasks it has others.",
            evidence,
        )
    context.never_shuffles = bool(usable.all() and ordered(places).all())
    if context.never_shuffles:
        wrong = np.zeros(some.characters.shape, bool)
        wrong[:, -1] = True
        raise Failure(
            "The query row should be shuffled; in all of 2,000 tasks it has the order of the "
            "support row.",
            evidence,
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
                evidence,
            )
    for first in (0, 1):  # pairs that share no task, twice
        later = relative[first + 1 :: 2]
        pairs = np.stack([relative[first::2][: len(later)], later])
        counts = [(pairs == np.array([[a], [b]])).all(axis=0).sum() for a in orders for b in orders]
        if any(improbable(int(count), len(later), 1 / 36) for count in counts):
            raise Failure(
                "The order of the query row should be drawn anew in every task; it depends on the "
                "order in the task before.",
                evidence,
            )
    for some in [*tasks, *other_splits(context)]:
        expect_known([some], "of a task")
        kept, count = int(ordered(query_places(some)).sum()), len(some.bits)
        if improbable(kept, count, 1 / math.factorial(some.way)):
            raise Failure(
                f"With {some.kind} the query row should seldom have the order of the support row, "
                f"in one of {math.factorial(some.way):,} tasks; it has in {kept} of {count}.",
                [some],
            )


def expect_known(evidence: list[Tasks], what: str) -> None:
    """Raise a Failure if some images are not in the data: they would all pass for one character."""
    if any((tasks.characters == UNKNOWN).any() for tasks in evidence):
        raise Failure(f"The characters {what} cannot be told: some images are not in the data.")


PERMUTATIONS = [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)]


def test_split(context):
    """Splits share no character, have the published sizes, and are used to the last image.

    2,000 training, 240 20-way validation and 200 test tasks. A correct sampler leaves one of the
    100 validation characters out with a probability below 1e-21; six other counts are compared
    at 1e-9 each, how often characters of one alphabet meet among them. That more than 300 of the
    6,000 pairs of characters in training tasks have met before has one below 1e-35: at each of the
    three places of a task a pair is one of those with a probability of at most 6,000 in 604,450.
    """
    train = context.train_tasks
    val, test = other_splits(context)
    evidence = [train, val, test]
    expect_known(evidence, "of a split")
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
    for tasks in evidence:
        copies = context.library.copies
        images = int(copies[np.isin(context.library.characters, list(seen[tasks.split]))].sum())
        unseen = images - int(copies[np.unique(tasks.patterns)].sum())
        missed = float(np.prod(1 - different(tasks.patterns) / images))
        if unseen > images * missed and improbable(unseen, images, missed):
            raise Failure(
                f"All images of a character should be used; of {images} in the {tasks.split} split "
                f"{unseen} never come in {len(tasks.patterns)} tasks.",
                evidence,
            )
    alphabets = np.array([name.rpartition("/")[0] for name in context.library.store.characters])
    of_task = np.unique(alphabets, return_inverse=True)[1][train.characters[:, 0]]
    of_task = np.sort(of_task[different(train.characters[:, 0]) == train.way])
    alike = int((np.diff(of_task) == 0).any(axis=-1).sum())
    expected = some_alike(alphabets[context.library.store.split("cs330", "train")])
    if improbable(alike, len(of_task), expected):
        raise Failure(
            f"Characters should be drawn regardless of their alphabets; in {alike} of "
            f"{len(of_task)} tasks two are of one alphabet, which is no chance.",
            evidence,
        )
    together = np.sort(train.characters[:, 0])
    pairs = np.concatenate([together[:, [a, b]] for a, b in ((0, 1), (0, 2), (1, 2))])
    again = len(pairs) - len(np.unique(pairs, axis=0))
    if again > 300:
        raise Failure(
            f"Characters should be drawn regardless of each other; of {len(pairs):,} pairs that "
            f"were in a task together, {again:,} had been before.",
            evidence,
        )


def different(items: np.ndarray) -> np.ndarray:
    """How many different ones a task has: int [T, …] → [T]."""
    each = np.sort(items.reshape(len(items), -1))
    return (np.diff(each) != 0).sum(axis=-1) + 1


def some_alike(alphabets: np.ndarray) -> float:
    """The probability that of three different characters two are of one alphabet."""
    counts, n = np.unique(alphabets, return_counts=True)[1], len(alphabets)
    # Newton's identity: the sum over triples of different alphabets of the product of their counts.
    s1, s2, s3 = (float((counts**power).sum()) for power in (1, 2, 3))
    return 1 - (s1**3 - 3 * s1 * s2 + 2 * s3) / (n * (n - 1) * (n - 2))
