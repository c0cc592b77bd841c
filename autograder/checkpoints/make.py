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
SETTINGS = [(1, 4, 11_250), (1, 3, 8750), (2, 2, 5000), (1, 2, 10_000)]  # K, N, steps
SEED = 1
TEST_SEED = 2022
RATE = 3e-3  # the highest learning rate
RISE, FALL = 500, 0.2  # it rises in as many steps, and falls in the last part of all
BATCH, HIDDEN = 128, 128


def train(stores: list[Store], shot: int, way: int, steps: int) -> hw1.MANN:
    """The reference's recipe on the training characters of all stores.

    But the learning rate stays high for longer than in hw1.py, and then falls in a straight line:
    at N = 4 some seeds take thousands of steps to find out what the labels are for.
    """
    split = [store.images[store.split("cs330", "train")] for store in stores]
    images = torch.cat(split)
    everything = Store(images, [str(number) for number in range(len(images))])
    tasks = Episodes(everything, torch.arange(len(images)), way, shot, seed=SEED)
    hw1.seed_everything(SEED)
    model = hw1.MANN(way, shot + 1, HIDDEN)
    optim = torch.optim.AdamW(model.parameters(), RATE, weight_decay=hw1.WEIGHT_DECAY, fused=True)
    for step in trange(1, steps + 1, desc=f"K = {shot}, N = {way}", unit="step"):
        factor = min(step / RISE, 1.0, (steps - step + 1) / (FALL * steps))
        for group in optim.param_groups:
            group["lr"] = RATE * factor
        images, labels = tasks.blocks(BATCH)
        hw1.train_step(hw1.soften(hw1.turn(images, labels)), labels, model, optim)
    return model


def accuracy(model: hw1.MANN, store: Store, shot: int, way: int) -> float:
    """Query accuracy on 2,000 tasks of a store's test characters."""
    tasks = Episodes(store, store.split("cs330", "test"), way, shot, seed=TEST_SEED).blocks(2000)
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
