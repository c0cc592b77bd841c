"""What the nearest neighbour by pixels depends on, beside the 41.7 % of Vinyals et al., 2016.

    python -m benchmarks.pixels [--data omniglot_resized]

5-way 1-shot, test characters of the vinyals split, 3,000 tasks, the same in every row but the one
without quarter turns.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import torch

from benchmarks.report import print_table
from fewshot.data.episodes import Episodes
from fewshot.data.soften import blur
from fewshot.data.store import Store
from fewshot.data.turns import quarter_turns
from fewshot.intervals import half_interval
from fewshot.learners.metric.nearest import cosines, nearest

WAY, SHOT, TASKS = 5, 1, 3000
SEED = 2


def distances(images: torch.Tensor) -> torch.Tensor:
    """Minus the Euclidean distance of every query to every support image, as of `cosines`."""
    return -torch.cdist(images[:, -1], images[:, :-1].flatten(1, 2))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pixels")
    parser.add_argument("--data", type=Path, default="omniglot_resized", help="image folder")
    store = Store.load(parser.parse_args().data)
    test = store.split("vinyals", "test")
    turned = quarter_turns(store, test)
    everybody = torch.arange(len(turned.characters))
    rows = {
        "cosine": (turned, everybody, cosines),
        "cosine, without quarter turns": (store, test, cosines),
        "Euclidean distance": (turned, everybody, distances),
        "cosine, ink and paper exchanged": (turned, everybody, lambda x: cosines(1 - x)),
        "cosine, 3 × 3 means": (turned, everybody, lambda x: cosines(blur(x))),
    }
    print_table(
        ["by the nearest".rjust(31), "right, %   "],
        ([name, right(*row)] for name, row in rows.items()),
    )


def right(
    store: Store, characters: torch.Tensor, likeness: Callable[[torch.Tensor], torch.Tensor]
) -> str:
    """Percent right, with its 95 % interval."""
    images, labels = Episodes(store, characters, WAY, SHOT, SEED).blocks(TASKS)
    answers = nearest(likeness(images), labels)[:, -1].argmax(-1)
    found = (answers == labels[:, -1].argmax(-1)).to(torch.float32).mean(dim=1)
    return f"{100 * found.mean():.1f} ± {100 * half_interval(found):.1f}"


if __name__ == "__main__":
    main()
