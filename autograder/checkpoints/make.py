"""Make the networks from which accuracy checks go on training.

    python -m autograder.checkpoints.make --data omniglot_resized glyphs

Each is the reference, trained to the end on the training characters of all the folders, with a
second layer that is new: it has learnt to see and has to learn to answer, which takes a submission
some hundred steps instead of ten thousand, and starts at chance. About 40 minutes on two cores; a
setting whose file is there is left as it is.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from tqdm import trange

from fewshot.data.episodes import Episodes
from fewshot.data.store import Store
from solutions import hw1

FOLDER = Path(__file__).parent
SETTINGS = [(1, 4, 6000), (1, 3, 6000), (2, 2, 6000), (1, 2, 10_000)]  # K, N, steps
SEED = 2022
RATE = 3e-3  # the highest learning rate
BATCH, HIDDEN = 128, 128


def train(stores: list[Store], shot: int, way: int, steps: int) -> hw1.MANN:
    """The reference's recipe on the training characters of all stores."""
    split = [store.images[store.split("cs330", "train")] for store in stores]
    images = torch.cat(split)
    characters = torch.arange(len(images))
    everything = Store(images, [str(number) for number in range(len(images))])
    tasks = Episodes(everything, characters, way, shot, seed=SEED)
    hw1.seed_everything(SEED)
    model = hw1.MANN(way, shot + 1, HIDDEN)
    config = argparse.Namespace(learning_rate=RATE, train_steps=steps)
    optim, schedule = hw1.make_optimizer(model, config)
    for _ in trange(steps, desc=f"K = {shot}, N = {way}", unit="step"):
        hw1.learn(tasks.blocks(BATCH), model, optim, schedule, "cpu")
    return model


def accuracy(model: hw1.MANN, store: Store, shot: int, way: int) -> float:
    """Query accuracy on 2,000 tasks of a store's test characters."""
    tasks = Episodes(store, store.split("cs330", "test"), way, shot, seed=SEED).blocks(2000)
    return hw1.evaluate(model, tasks, BATCH)[1].mean().item()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m autograder.checkpoints.make")
    parser.add_argument("--data", type=Path, nargs="+", required=True)
    parser.add_argument("--settings", type=int, nargs="+", default=range(len(SETTINGS)))
    arguments = parser.parse_args()
    stores = [Store.load(folder) for folder in arguments.data]
    for shot, way, steps in [SETTINGS[number] for number in arguments.settings]:
        file = FOLDER / f"{shot}_shot_{way}_way.npz"
        if file.exists():
            continue
        model = train(stores, shot, way, steps)
        before = [f"{accuracy(model, store, shot, way):.3f}" for store in stores]
        model.layer2.load_state_dict(hw1.MANN(way, shot + 1, HIDDEN).layer2.state_dict())
        after = [f"{accuracy(model, store, shot, way):.3f}" for store in stores]
        weights = {name: w.numpy().astype(np.float16) for name, w in model.state_dict().items()}
        np.savez_compressed(file, **weights)
        print(f"{file.name}: trained {', '.join(before)}; with a new layer 2 {', '.join(after)}")


if __name__ == "__main__":
    main()
