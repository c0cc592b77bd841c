"""Episodes, drawn a batch at a time: first which images, as indices, then one gather.

Both views come from the same draw. `blocks` is the homework's episode, with the query row last;
`sequences` is one long row of examples in random order, each with the label of the step before,
as in Santoro et al. 2016 ("Meta-learning with memory-augmented neural networks").
"""

import torch

from fewshot.data.errors import DataError
from fewshot.data.store import Store


class Episodes:
    """An endless stream of N-way episodes over some characters of a store.

    The stream depends on `seed` and the calls alone: no global random state is read or changed,
    and `generator.get_state()` and `generator.set_state()` save and resume it.

    Args:
        store: where the images are.
        characters: int64 [C], the characters to draw from, as `Store.split` gives them.
        num_classes: N, different characters in an episode.
        num_shot: K, support images of each in a block, which has one query image more.
        seed: of the stream.
        device: where episodes are drawn and returned, and the split's images are copied to.

    Raises:
        DataError: a number is below one, N is above C, or K+1 is above a character's images.
    """

    def __init__(
        self,
        store: Store,
        characters: torch.Tensor,
        num_classes: int,
        num_shot: int = 1,
        seed: int = 0,
        device: torch.device | str = "cpu",
    ) -> None:
        self.per_character = store.images.shape[1]
        _check("num_classes", num_classes, len(characters), "the split's characters")
        _check("num_shot", num_shot, self.per_character - 1, "a character's images, less the query")
        self.num_classes = num_classes
        self.num_shot = num_shot
        self.generator = torch.Generator(device).manual_seed(seed)
        self.images = store.images[characters].flatten(0, 1).to(device)
        self.num_characters = len(characters)
        self.one_hot = torch.eye(num_classes, device=device)

    def blocks(self, batch_size: int) -> tuple[torch.Tensor, torch.Tensor]:
        """B episodes as the homework has them.

        Returns:
            images float32 [B, K+1, N, 784], ink 1, and one-hot labels float32 [B, K+1, N, N].
            In the first K rows class n stands at n with label e_n; in the last row the classes
            stand in a uniformly random order, images and labels together.

        Raises:
            DataError: `batch_size` is below one.
        """
        rows, classes = self.num_shot + 1, self.num_classes
        index = self._draw(batch_size, rows)
        order = self._orders(batch_size, classes)
        # The query is shuffled here, as indices, so that no image is moved twice.
        query = index[:, -1]
        query.copy_(query.gather(1, order))
        labels = self.one_hot.expand(batch_size, rows, classes, classes).clone()
        labels[:, -1] = _rows(self.one_hot, order)
        return self._pixels(index), labels

    def sequences(
        self, batch_size: int, images_per_class: int
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """B episodes as sequences of T = N · images_per_class steps in uniformly random order.

        Returns:
            images float32 [B, T, 784], ink 1; the one-hot label of the step before, float32
            [B, T, N], zeros at the first step; and the step's own label, int64 [B, T].

        Raises:
            DataError: `batch_size` is below one, or `images_per_class` is below one or above a
                character's images.
        """
        _check("images_per_class", images_per_class, self.per_character, "a character's images")
        index = self._draw(batch_size, images_per_class).flatten(1)
        order = self._orders(batch_size, index.shape[1])
        # Characters come in random order, so a character's place is already its random label.
        targets = order % self.num_classes
        previous = torch.zeros(*order.shape, self.num_classes, device=order.device)
        previous[:, 1:] = _rows(self.one_hot, targets[:, :-1])
        return self._pixels(index.gather(1, order)), previous, targets

    def _draw(self, batch_size: int, images: int) -> torch.Tensor:
        """Which images: int64 [B, images, N], a column for each of N different characters."""
        _check("batch_size", batch_size)
        classes = self.num_classes
        uniform = self._uniform(1 + images, batch_size * classes)
        character = _distinct(uniform[0].view(classes, batch_size), self.num_characters)
        image = _distinct(uniform[1:], self.per_character).view(images, batch_size, classes)
        return torch.add(
            image.transpose(0, 1), character.t()[:, None], alpha=self.per_character
        ).contiguous()

    def _pixels(self, index: torch.Tensor) -> torch.Tensor:
        """The images at `index`: float32 [*index.shape, 784]. Only a batch is ever in float32."""
        return _rows(self.images, index).to(torch.float32).div_(255)

    def _orders(self, draws: int, length: int) -> torch.Tensor:
        """int64 [draws, length]: a uniformly random order in each row."""
        return self._uniform(draws, length).argsort(dim=1)

    def _uniform(self, *shape: int) -> torch.Tensor:
        """float64, because 2^-24, the grain of float32, is felt among 1,100 characters."""
        return torch.rand(
            shape, generator=self.generator, device=self.one_hot.device, dtype=torch.float64
        )


def _distinct(uniform: torch.Tensor, pool: int) -> torch.Tensor:
    """In each column different numbers below `pool`, every ordered choice equally likely.

    Number i is first a place among the pool - i numbers that the ones above it leave (a Lehmer
    code); then the places are made numbers by stepping over those above, the nearest first.

    Args:
        uniform: float64 [count, draws] in [0, 1).

    Returns:
        int64 [count, draws].
    """
    left = torch.arange(pool, pool - len(uniform), -1, device=uniform.device)
    numbers = (uniform * left[:, None]).long()
    for above in reversed(range(len(numbers) - 1)):
        below = numbers[above + 1 :]
        below += below >= numbers[above]
    return numbers


def _rows(table: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
    """The rows of `table` at `index`: [*index.shape, width]."""
    return table.index_select(0, index.flatten()).view(*index.shape, table.shape[1])


def _check(name: str, value: int, limit: int | None = None, of: str = "") -> None:
    if value < 1:
        raise DataError(f"{name} is {value}: it must be at least 1.")
    if limit is not None and value > limit:
        raise DataError(f"{name} is {value}: {of} are only {limit}.")
