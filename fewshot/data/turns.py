"""Quarter turns of characters as characters of their own, as in Santoro et al. 2016."""

import torch

from fewshot.data.store import Store


def quarter_turns(store: Store, characters: torch.Tensor) -> Store:
    """The characters named, and again turned by 90, 180 and 270 degrees.

    A turned character is a new character, so there are four times as many to learn from.

    Args:
        store: of square images.
        characters: int64 [C], indices into `store.characters`.

    Returns:
        A store of 4·C characters, the unturned ones first.
    """
    side = round(store.images.shape[2] ** 0.5)
    images = store.images[characters].unflatten(2, (side, side))
    turned = torch.cat([images.rot90(quarter, dims=(2, 3)) for quarter in range(4)])
    return Store(turned.flatten(2), [store.characters[i] for i in characters] * 4)
