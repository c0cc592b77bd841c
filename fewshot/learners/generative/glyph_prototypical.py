"""A prototypical network that has only ever seen invented characters."""

import functools

import torch

from fewshot.data.episodes import Episodes
from fewshot.data.glyphs import generate
from fewshot.data.normalise import normalised
from fewshot.data.store import OMNIGLOT_CHARACTERS, SIDE, Store
from fewshot.learners.metric.prototypical import Prototypical

SEED = 0  # of the glyphs


class GlyphPrototypical(Prototypical):
    """Learns from glyphs what the others learn from Omniglot, and is asked about Omniglot.

    A generator of characters is a model of what a character can be (Lake et al., 2015), and its
    samples can take the place of data: none of the training characters is looked at. The learner
    differs from `Prototypical` in nothing else. The glyphs are drawn at `start`, which takes some
    ten seconds.

    Args:
        num_classes: N of the task; any number can be answered.
        num_shot: K.
    """

    def __init__(self, num_classes: int, num_shot: int) -> None:
        super().__init__(num_classes, num_shot)
        self.num_shot = num_shot

    def start(self) -> None:
        """Draw the glyphs, and make the optimizer."""
        super().start()
        store = glyph_store(SEED)
        everything = torch.arange(len(store.characters))
        self.glyphs = Episodes(store, everything, self.train_way, self.num_shot)

    def step(self, train: Episodes, spent: float) -> float:
        """As of `Learner`, of the glyphs."""
        # One generator for both, so that a run goes on where it was.
        self.glyphs.generator = train.generator
        return super().step(self.glyphs, spent)


@functools.cache
def glyph_store(seed: int) -> Store:
    """All glyphs of a seed in memory, normalised."""
    images = generate(seed)
    names = [path.rpartition("/")[0] for path in images]
    pixels = torch.stack([torch.from_numpy(image).flatten() for image in images.values()])
    per_character = len(images) // OMNIGLOT_CHARACTERS
    pixels = pixels.view(OMNIGLOT_CHARACTERS, per_character, SIDE * SIDE)
    return normalised(Store(pixels, names[::per_character]))
