"""Tasks that a submission never sees, to measure what it has learnt."""

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import torch

from autograder.context import Context
from fewshot.data.episodes import Episodes
from fewshot.data.glyphs import alphabet_images
from fewshot.data.store import Store

AT_ONCE = 250  # tasks in a batch
NEW_ALPHABETS, NEW_CHARACTERS = 24, 25  # drawn for one grading, the second in each


def secret_tasks(
    context: Context, shot: int, way: int, count: int, number: int
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Images and labels of AT_ONCE tasks at a time, the same for a number.

    Half show characters of the data that none of the sampler's training tasks has shown, half
    new ones, drawn for this grading from its seed.
    """
    store = context.library.store
    seen = set(context.train_tasks.characters.flat)
    unseen = [c for c in range(len(store.characters)) if c not in seen]
    new = draw_characters(context.random(21).initial_seed())
    halves = [(store, torch.tensor(unseen)), new]
    if len(unseen) < way:  # the sampler shows everything: then new ones have to do
        halves = [new]
    for half, (images, characters) in enumerate(halves):
        seed = context.random(20, number, half, shot, way).initial_seed()
        tasks = Episodes(images, characters, way, shot, seed)
        for _ in range(count // AT_ONCE // len(halves)):
            yield tasks.blocks(AT_ONCE)


@lru_cache(maxsize=1)  # a class is graded with one seed
def draw_characters(seed: int) -> tuple[Store, torch.Tensor]:
    """Characters that nobody has seen, and their indices."""
    drawn = [alphabet_images(seed, index, NEW_CHARACTERS) for index in range(NEW_ALPHABETS)]
    images = torch.from_numpy(np.concatenate(drawn)).flatten(2)
    return Store(images, [str(c) for c in range(len(images))]), torch.arange(len(images))
