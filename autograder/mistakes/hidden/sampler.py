"""Wrong samplers. Evidence is a list of `Tasks`."""

import numpy as np

from autograder.mistakes.catalogue import mistake
from autograder.mistakes.sampler import QUERY_ORDER, always, matches, ordered
from autograder.tasks import Tasks

LABELS_MATCH = "sampler/labels_match"
CHARACTERS = "sampler/distinct_characters"
IMAGES = "sampler/distinct_images"
SPLIT = "sampler/split"


@mistake(
    LABELS_MATCH,
    why="The images come character by character and are reshaped as if they came shot by shot; "
    "with K = 1 this is not seen.",
    look="Reshape to [N, K+1, 784] first and then swap the first two axes.",
)
def class_major(evidence: list[Tasks]) -> bool:
    def fits(tasks: Tasks) -> bool:
        support = tasks.characters[:, :-1].reshape(-1, tasks.way, tasks.shot)
        every = tasks.characters.reshape(-1, tasks.way, tasks.shot + 1)
        return any(always(groups == groups[..., :1]) for groups in (support, every))

    several = [tasks for tasks in evidence if tasks.shot > 1]
    return bool(several) and all(fits(tasks) for tasks in several)


@mistake(
    LABELS_MATCH,
    why="The query images are shuffled and their labels are not, so they name other characters.",
    look="Draw one permutation and apply it to images[-1] and labels[-1].",
)
def query_images_shuffled_alone(evidence: list[Tasks]) -> bool:
    return same_characters(evidence) and all(always(ordered(tasks.classes)) for tasks in evidence)


@mistake(
    LABELS_MATCH,
    why="The query labels are shuffled and their images are not, so they name other characters.",
    look="Draw one permutation and apply it to images[-1] and labels[-1].",
)
def query_labels_shuffled_alone(evidence: list[Tasks]) -> bool:
    return all(always(tasks.characters == tasks.characters[:, :1]) for tasks in evidence)


@mistake(
    LABELS_MATCH,
    why="The query images and their labels are in different orders.",
    look="Draw one permutation and index both with it: images[-1][order] and labels[-1][order].",
)
def query_shuffled_apart(evidence: list[Tasks]) -> bool:
    return same_characters(evidence) and all(
        always(ordered(tasks.classes[:, :-1])) for tasks in evidence
    )


def same_characters(evidence: list[Tasks]) -> bool:
    """Whether the support rows agree and the query row has their characters in some order."""
    return all(
        always(tasks.characters[:, :-1] == tasks.characters[:, :1])
        and always(np.sort(tasks.characters[:, -1]) == np.sort(tasks.characters[:, 0]))
        for tasks in evidence
    )


@mistake(
    CHARACTERS,
    why="Characters are drawn with replacement, so a task can have the same one twice.",
    look="Draw N different folders: random.sample(self.folders, N), not random.choices.",
)
def characters_repeated(evidence: list[Tasks]) -> bool:
    return all(always(matches(tasks)) for tasks in evidence)


@mistake(
    IMAGES,
    why="All shots of a character are the same image.",
    look="Draw K+1 different images of each character, and use each of them once.",
)
def one_image_repeated(evidence: list[Tasks]) -> bool:
    several = [tasks for tasks in evidence if tasks.shot > 1]
    return bool(several) and all(
        always(tasks.patterns[:, :-1] == tasks.patterns[:, :1]) for tasks in several
    )


@mistake(
    IMAGES,
    why="Some images come twice in the query row and others not at all.",
    look="random.shuffle does so with an array or a tensor: draw np.random.permutation(N), and "
    "index images[-1] and labels[-1] with it.",
)
def query_images_repeated(evidence: list[Tasks]) -> bool:
    return all(
        always(in_first_row(tasks).any(axis=-1))
        and not repeats(tasks.patterns[:, :-1], tasks).any()
        for tasks in evidence
    ) and any(repeats(tasks.patterns[:, -1:], tasks).any() for tasks in evidence)


@mistake(
    IMAGES,
    why="The query image is drawn without regard to the support images, so it can be one of them.",
    look="Draw K+1 different images of each character at once, and keep the last as the query.",
)
def query_in_support(evidence: list[Tasks]) -> bool:
    return not any(repeats(tasks.patterns[:, :-1], tasks).any() for tasks in evidence)


@mistake(
    IMAGES,
    why="Images are drawn with replacement, so a character can show the same one twice.",
    look="Draw K+1 different images of each character at once: random.sample, not random.choices.",
)
def images_repeated(evidence: list[Tasks]) -> bool:
    return all(always(matches(tasks)) for tasks in evidence)


def repeats(patterns: np.ndarray, tasks: Tasks) -> np.ndarray:
    """Which images a task has more often than the data: [T, rows, N] → bool of that shape."""
    flat = patterns.reshape(len(patterns), -1)
    times = (flat[:, :, None] == flat[:, None, :]).sum(axis=-1)
    return (times > tasks.library.copies[flat]).reshape(patterns.shape)


@mistake(
    QUERY_ORDER,
    SPLIT,
    why="The same tasks come again and again: the random generator is seeded inside _sample, or "
    "every call returns, and fills, the same arrays.",
    look="Seed once, outside of _sample, or not at all; return new arrays, or copies.",
)
def same_tasks(evidence: list[Tasks]) -> bool:
    return all(
        len(np.unique(tasks.patterns.reshape(len(tasks.patterns), -1), axis=0))
        < len(tasks.patterns) / 2
        for tasks in evidence
    )


def query_places(tasks: Tasks) -> np.ndarray:
    """Where in the first support row each query image's character stands: int [T, N]."""
    return in_first_row(tasks).argmax(axis=-1)


def in_first_row(tasks: Tasks) -> np.ndarray:
    """Whether a query image has the character of a place in the first row: bool [T, N, N]."""
    return tasks.characters[:, -1, :, None] == tasks.characters[:, 0, None, :]


@mistake(
    QUERY_ORDER,
    why="The query row is not shuffled: it has the characters in the order of the support set, so "
    "that a network can score 100 % without looking at the images.",
    look="Draw one permutation and apply it to images[-1] and labels[-1].",
)
def query_not_shuffled(evidence: list[Tasks]) -> bool:
    return all(always(ordered(query_places(tasks))) for tasks in evidence)


@mistake(
    QUERY_ORDER,
    why="The query row has the same order in every task.",
    look="Draw the permutation inside _sample, anew in every call.",
)
def same_query_order(evidence: list[Tasks]) -> bool:
    return all(always(query_places(tasks) == query_places(tasks)[0]) for tasks in evidence)


@mistake(
    QUERY_ORDER,
    why="The query row is only rotated, so that one image's class gives away the others'.",
    look="Draw a permutation, for example with random.shuffle, instead of rolling the row.",
)
def query_rotated(evidence: list[Tasks]) -> bool:
    return all(always(np.diff(query_places(tasks), axis=-1) % tasks.way == 1) for tasks in evidence)


@mistake(
    QUERY_ORDER,
    why="The query row is sorted by character, so its order says which character is which.",
    look="Draw a permutation, for example with random.shuffle, instead of sorting.",
)
def query_sorted(evidence: list[Tasks]) -> bool:
    return all(
        len(np.unique(tasks.characters[:, -1].argsort(axis=-1), axis=0)) == 1 for tasks in evidence
    )


@mistake(
    SPLIT,
    why="Tasks of all splits are drawn from the same characters, whatever batch_type says.",
    look="Draw from self.folders, which the constructor chooses by batch_type.",
)
def split_ignored(evidence: list[Tasks]) -> bool:
    train, val, test = (set(tasks.characters.flat) for tasks in evidence)
    inside = all(len(other & train) > 0.9 * len(other) for other in (val, test))
    return inside and bool(val & test)


@mistake(
    SPLIT,
    why="Training tasks have the test split's characters, and test tasks the training split's.",
    look="Look at what the constructor makes of batch_type.",
)
def splits_exchanged(evidence: list[Tasks]) -> bool:
    train, _, test = evidence
    real = {split: train.library.store.split("cs330", split) for split in ("train", "test")}
    return always(np.isin(train.characters, real["test"])) and always(
        np.isin(test.characters, real["train"])
    )


@mistake(
    SPLIT,
    why="Training tasks have characters of the validation split.",
    look='Take the train split alone when batch_type is "train".',
)
def val_in_train(evidence: list[Tasks]) -> bool:
    train, val, test = (set(tasks.characters.flat) for tasks in evidence)
    return len(val & train) > 0.9 * len(val) and not train & test and len(val) <= 100


@mistake(
    SPLIT,
    why="Validation tasks have characters of the training split.",
    look='Take the validation characters alone when batch_type is "val".',
)
def train_in_val(evidence: list[Tasks]) -> bool:
    train, val, test = (set(tasks.characters.flat) for tasks in evidence)
    return len(val & train) > 0.9 * len(val) and not train & test and len(val) > 100


@mistake(
    SPLIT,
    why="The same few images of each character are used in every task.",
    look="Draw the images at random from all of a character's files.",
)
def first_images_only(evidence: list[Tasks]) -> bool:
    val = evidence[1]
    drawn = {(int(c), int(d)) for c, d in zip(val.characters.flat, val.patterns.flat, strict=True)}
    return len(drawn) <= (val.shot + 1) * len({character for character, _ in drawn})
