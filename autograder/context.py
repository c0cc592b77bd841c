"""What the checks of one grading share: the submission, the data, and what was found out so far."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch

from autograder.layout import Layout
from autograder.student import Student, StudentError
from autograder.tasks import Library, Tasks, see

CHUNK_BYTES = 16 << 20  # of images in one answer, if they are float32


@dataclass
class Context:
    """One grading.

    Attributes:
        student: answers questions.
        library: the images of the data folder.
        seed: of everything that the judge draws; no child knows it.
        train: "resume", "scratch" or "off".
        layout: how the submission feeds its network, once `forward/value` has found it.
        never_shuffles: whether its query rows were all in the order of the support row.
        never_learns: whether a training with another loss than the handout's has come to nothing.
        progress: told (done, of) while a training runs.
        drawn: tasks by K, N, split and number.
    """

    student: Student
    library: Library
    seed: int
    train: str
    progress: Callable[[int, int], None]
    layout: Layout = field(default_factory=Layout)
    never_shuffles: bool = False
    never_learns: bool = False
    drawn: dict = field(default_factory=dict)

    def random(self, *purpose: int) -> torch.Generator:
        """A generator for one purpose, so that checks do not depend on each other's draws."""
        entropy = np.random.SeedSequence([self.seed, *purpose])
        return torch.Generator().manual_seed(int(entropy.generate_state(1, np.uint64)[0] >> 1))

    def draw(self, shot: int, way: int, split: str, count: int) -> Tasks:
        """Tasks of the submission's sampler, drawn once.

        Raises:
            StudentError: it gave none.
        """
        key = (shot, way, split, count)
        if key not in self.drawn:
            at_once = max(1, CHUNK_BYTES // ((shot + 1) * way * 784 * 4))
            chunks = []
            for start in range(0, count, at_once):
                some = min(at_once, count - start)
                chunk = self.ask_sample(shot, way, split, some, start)
                expected = [(some, shot + 1, way, 784), (some, shot + 1, way, way)]
                if [chunk[part].shape for part in ("images", "labels")] != expected:
                    raise StudentError(
                        f"Problem 1: for K = {shot}, N = {way} and the {split} split the shapes "
                        "are not those that were asked for."
                    )
                chunks.append(chunk)
            self.drawn[key] = see(self.library, shot, way, split, chunks)
        return self.drawn[key]

    def ask_sample(self, shot: int, way: int, split: str, count: int, start: int = 0) -> dict:
        """Images and labels as they come: [T, …] each."""
        header = {"shot": shot, "way": way, "split": split, "count": count}
        header["seed"] = (self.student.seed + start + 1000 * way + 100 * shot) % 2**63
        given = self.student.ask("sample", header)[1]
        lengths = {part.shape[:1] for part in given.values()}
        if set(given) != {"images", "labels"} or lengths != {(count,)}:
            raise StudentError("Problem 1: DataGenerator._sample gave no images and labels.")
        return given

    @cached_property
    def train_tasks(self) -> Tasks:
        """Enough training tasks to see nearly all characters and every order often."""
        return self.draw(1, 3, "train", 2000)
