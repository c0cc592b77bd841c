"""Wrong samplers that public checks meet: evidence is a `ShapeCase` or a list of `Tasks`."""

from dataclasses import dataclass

import numpy as np

from autograder.mistakes.catalogue import mistake
from autograder.tasks import Tasks

SHAPES = "sampler/shapes"
ONE_HOT = "sampler/one_hot"
SUPPORT_ORDER = "sampler/support_order"
QUERY_ORDER = "sampler/query_order"


@dataclass(frozen=True)
class ShapeCase:
    """What came for one K and N.

    Attributes:
        rows, way: K+1 and N.
        images, labels: shapes.
        contrast: the highest pixel less the lowest.
    """

    rows: int
    way: int
    images: tuple[int, ...]
    labels: tuple[int, ...]
    contrast: float


@mistake(
    SHAPES,
    why="Your labels are class numbers; the handout asks for one-hot vectors.",
    look="Turn each class number into a row of the N×N identity matrix, as np.eye(N) has them.",
)
def labels_not_one_hot(case: ShapeCase) -> bool:
    rows = (case.rows, case.way)
    return case.labels in (rows, (*rows, 1)) and case.images[:2] == rows


@mistake(
    SHAPES,
    why="The first two axes are swapped: [N, K+1, …] instead of [K+1, N, …].",
    look="Swap the axes (not a reshape, which would mix the characters) before returning.",
)
def axes_swapped(case: ShapeCase) -> bool:
    return case.rows != case.way and case.images == (case.way, case.rows, 784)


@mistake(
    SHAPES,
    why="Your images are 28×28 squares; the handout asks for 784 pixels in a row.",
    look="Give each image its last axis of 784 pixels: image_file_to_array returns them flat.",
)
def images_not_flat(case: ShapeCase) -> bool:
    return case.images == (case.rows, case.way, 28, 28)


@mistake(
    SHAPES,
    why="Images and labels are returned in each other's place.",
    look="Return (images, labels), in this order.",
)
def pair_swapped(case: ShapeCase) -> bool:
    return case.labels == (case.rows, case.way, 784)


@mistake(
    SHAPES,
    why="One row of images is missing: a task has K support rows and one query row.",
    look="num_samples_per_class already is K+1: take that many images of each character.",
)
def row_missing(case: ShapeCase) -> bool:
    return case.images == (case.rows - 1, case.way, 784)


@mistake(
    SHAPES,
    why="Ink and paper are nearly the same number, as if pixels had been divided by 255 twice.",
    look="Pixels should be 0 and 1: look at what you do after image_file_to_array.",
)
def low_contrast(case: ShapeCase) -> bool:
    return case.images == (case.rows, case.way, 784) and 0 < case.contrast < 0.02


def always(condition: np.ndarray) -> bool:
    return bool(np.all(condition))


def ordered(classes: np.ndarray) -> np.ndarray:
    """Whether a row of classes is 0, 1, …, N-1: [..., N] → [...]."""
    return (classes == np.arange(classes.shape[-1])).all(axis=-1)


def matches(tasks: Tasks) -> np.ndarray:
    """Whether all images of a class show one character: [T]."""
    by_class = np.take_along_axis(tasks.characters, tasks.classes.argsort(axis=-1), axis=-1)
    return (by_class == by_class[:, :1]).all(axis=(1, 2))


@mistake(
    SUPPORT_ORDER,
    QUERY_ORDER,
    why="The shuffled row is the first; the query set is the last row.",
    look="Shuffle images[-1] and labels[-1], and leave the K rows before them in order.",
)
def query_first(evidence: list[Tasks]) -> bool:
    return all(
        always(ordered(tasks.classes[:, 1:])) and not always(ordered(tasks.classes[:, 0]))
        for tasks in evidence
    )


@mistake(
    ONE_HOT,
    SUPPORT_ORDER,
    why="The images of all rows are shuffled together, so a row lacks some classes.",
    look="get_images shuffles everything unless shuffle=False; shuffle the query row alone.",
)
def everything_shuffled(evidence: list[Tasks]) -> bool:
    def fits(tasks: Tasks) -> bool:
        classes, characters = (
            part.reshape(len(part), -1) for part in (tasks.classes, tasks.characters)
        )
        by_class = np.take_along_axis(characters, classes.argsort(axis=-1), axis=-1)
        by_class = by_class.reshape(len(by_class), tasks.way, -1)
        full = np.sort(classes) == np.repeat(np.arange(tasks.way), tasks.shot + 1)
        return always(by_class == by_class[..., :1]) and always(full)

    same = [always(tasks.classes == tasks.classes[0]) for tasks in evidence]
    lacking = [np.sort(tasks.classes) != np.arange(tasks.way) for tasks in evidence]
    return all(map(fits, evidence)) and any(map(np.any, lacking)) and not all(same)


@mistake(
    SUPPORT_ORDER,
    why="The support images are shuffled too: their labels are right, their order is not fixed.",
    look="Shuffle the query row alone. get_images shuffles everything unless shuffle=False.",
)
def support_shuffled(evidence: list[Tasks]) -> bool:
    same = [always(tasks.classes[:, 0] == tasks.classes[0, 0]) for tasks in evidence]
    # Where all rows of a task have one order, the classes are numbered anew, and nothing is mixed.
    rows = [always(tasks.classes[:, :-1] == tasks.classes[:, :1]) for tasks in evidence]
    return all(always(matches(tasks)) for tasks in evidence) and not all(same) and not all(rows)
