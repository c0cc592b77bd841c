"""Drawing a batch of 128 episodes, against two other ways to have as many images.

    python -m benchmarks.sampling [--data omniglot_resized]

- index_select: float32 images already in memory are copied into a batch of the same shape, at
  random places known beforehand. Nothing is drawn and there are no labels, so that this is the
  least that any sampler must do. Target: episodes take at most 2.5 times as long.
- uint8: the same from uint8 images, then converted to float32: three passes instead of one.
- homework: `DataGenerator._sample` of the homework with its images cached, 128 times, stacked
  as a DataLoader without workers does. Target: at least 20 times as long as episodes.

Each round runs every way in turn, a few batches of it at a time, so that a disturbance of the
machine meets all of them; times are medians over the rounds, in milliseconds a batch.
"""

import argparse

import torch
from torch.utils.data import default_collate

from benchmarks.report import machine, medians, print_table
from fewshot.data.episodes import Episodes
from fewshot.data.store import Store
from solutions.load_data import DataGenerator

SETTINGS = [(1, 2), (1, 4), (1, 5), (5, 5), (1, 20)]  # K, N
BATCH = 128
ROUNDS = 21
BATCHES = 10  # of each way in a round; the first ones find the processor's caches cold


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sampling")
    parser.add_argument("--data", default="omniglot_resized", help="image folder")
    folder = parser.parse_args().data
    store = Store.load(folder)

    print(machine())
    print(f"batch {BATCH}, training characters of cs330, medians of {ROUNDS} rounds")
    header = ["(K, N)", "episodes", "index_select", "ratio", "  uint8", "homework", "ratio"]
    print_table(header, (_row(folder, store, *setting) for setting in SETTINGS))
    print("targets" + "<= 2.5".rjust(31) + ">= 20".rjust(26))


def _row(folder: str, store: Store, num_shot: int, num_classes: int) -> list[str]:
    train = store.split("cs330", "train")
    as_bytes = store.images[train].flatten(0, 1)
    as_floats = as_bytes.float() / 255
    episodes = Episodes(store, train, num_classes, num_shot)
    homework = DataGenerator(num_classes, num_shot + 1, "train", {"data_folder": folder})
    shape = (BATCH, num_shot + 1, num_classes, -1)

    # Fresh places for each batch: the same again would already be in the processor's caches.
    count = BATCH * (num_shot + 1) * num_classes
    places = iter(
        [torch.randint(len(as_floats), (count,)) for _ in range(2 * BATCHES * (ROUNDS + 1))]
    )

    times = medians(
        {
            "episodes": lambda: episodes.blocks(BATCH),
            "index_select": lambda: as_floats.index_select(0, next(places)).view(shape),
            "uint8": lambda: (
                as_bytes.index_select(0, next(places)).to(torch.float32).div_(255).view(shape)
            ),
            "homework": lambda: default_collate([homework._sample() for _ in range(BATCH)]),
        },
        ROUNDS,
        BATCHES,
    )
    return [
        f"({num_shot}, {num_classes})",
        f"{1e3 * times['episodes']:.2f}",
        f"{1e3 * times['index_select']:.2f}",
        f"{times['episodes'] / times['index_select']:.2f}",
        f"{1e3 * times['uint8']:.2f}",
        f"{1e3 * times['homework']:.1f}",
        f"{times['homework'] / times['episodes']:.0f}",
    ]


if __name__ == "__main__":
    main()
