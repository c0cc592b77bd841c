"""What it brings learners that drawings have one place and one size.

    python -m benchmarks.normalise [--data omniglot_resized] [--minutes 2]

Trains each learner for the same time of one core on images as they were drawn and on normalised
ones (`fewshot/data/normalise.py`), and measures it on 1,000 one-shot tasks of test characters: the
vinyals split with quarter turns, as in `python -m fewshot.experiments.compare`.
"""

import argparse
import tempfile
from pathlib import Path

import torch

from benchmarks.report import machine, print_table
from fewshot.commands import above_zero
from fewshot.data.episodes import Episodes
from fewshot.data.normalise import normalised
from fewshot.data.store import Store
from fewshot.experiments.compare.trial import SEED, Trial, characters, fit, measure
from fewshot.learners.registry import LEARNERS

TASKS = [("nearest_pixels", 5), ("mann", 5), ("maml", 5), ("reptile", 5), ("prototypical", 20)]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.normalise")
    parser.add_argument("--data", type=Path, default="omniglot_resized", help="image folder")
    parser.add_argument("--minutes", type=above_zero, default=2, help="of training, of one core")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    drawn = Store.load(arguments.data)
    stores = [characters(store, "vinyals") for store in (drawn, normalised(drawn))]
    print(machine())
    header = ["learner".rjust(14), " N", "as drawn, %  ", "normalised, %"]
    print_table(header, (row(stores, *task, arguments.minutes) for task in TASKS))


def row(stores: list, name: str, way: int, minutes: float) -> list[str]:
    return [name, str(way), *(learn(*store, name, way, minutes) for store in stores)]


def learn(train: Store, test: Store, name: str, way: int, minutes: float) -> str:
    """The accuracy of a learner of one shot after that time, in percent with its interval."""
    torch.manual_seed(SEED)
    learner = LEARNERS[name](way, 1)
    everybody = torch.arange(len(train.characters))
    episodes = Episodes(train, everybody, learner.train_way or way, 1, SEED)
    with tempfile.TemporaryDirectory() as folder:
        trial = Trial(name, way, 1, "vinyals", minutes, Path(), Path(folder))
        outcome = measure(trial, learner, test, *fit(trial, learner, episodes))
    return f"{100 * outcome.accuracy:.1f} ± {100 * outcome.interval:.1f}"


if __name__ == "__main__":
    main()
