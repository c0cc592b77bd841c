"""One learner, trained for its time and measured."""

import csv
import json
import math
import os
import time
import traceback
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from fewshot.checkpoint import DAMAGED, load, save
from fewshot.commands import CommandError
from fewshot.data.episodes import Episodes
from fewshot.data.errors import DataError
from fewshot.data.normalise import normalised
from fewshot.data.store import Store
from fewshot.data.turns import quarter_turns
from fewshot.intervals import half_interval
from fewshot.learners.learner import Learner, accuracy
from fewshot.learners.registry import LEARNERS
from fewshot.workers import BUSY, is_cancelled

SEED = 1
TEST_SEED = 2  # test tasks are the same for every learner
TEST_TASKS = 1000
TEST_BATCH = 20  # tasks that are answered at once; a task does not know of the others
SAVE_SECONDS = 15  # of training, between two checkpoints
TRAINED_ON = {"cs330": ("train",), "lake": ("train",), "vinyals": ("train", "val")}


@dataclass(frozen=True)
class Trial:
    """What is to be learnt, and for how long.

    Attributes:
        learner: a name in `LEARNERS`.
        num_classes, num_shot: N and K of the task.
        split: of the characters.
        minutes: of one processor core, for training.
        data: image folder, by a name that every worker knows.
        folder: where the trial keeps its files, likewise.
    """

    learner: str
    num_classes: int
    num_shot: int
    split: str
    minutes: float
    data: Path
    folder: Path

    @property
    def log(self) -> Path:
        """Seconds of training, steps and mean loss since the line before, at every checkpoint."""
        return self.folder / "log.csv"

    @property
    def outcome(self) -> Path:
        """What came out, once the trial is over."""
        return self.folder / "outcome.json"


@dataclass(frozen=True)
class Outcome:
    """A row of the table.

    Attributes:
        learner: its name.
        family: blackbox, metric, optimization or generative.
        accuracy: the mean over the test tasks.
        interval: half the width of its 95 % interval over tasks.
        tasks: how many those were.
        parameters: numbers that are learnt.
        steps: of training.
        seconds: of training, of one core.
        milliseconds: to answer a task.
        setting: what the number depends on.
    """

    learner: str
    family: str
    accuracy: float
    interval: float
    tasks: int
    parameters: int
    steps: int
    seconds: float
    milliseconds: float
    setting: str


def characters(store: Store, split: str) -> tuple[Store, Store]:
    """Those to train on and those to test on.

    Training characters are turned by quarter turns, as characters of their own. For `vinyals`
    test characters are too, as in the papers that take this split.
    """
    train = torch.cat([store.split(split, part) for part in TRAINED_ON[split]])
    test = store.split(split, "test")
    if split == "vinyals":
        return quarter_turns(store, train), quarter_turns(store, test)
    unturned = Store(store.images[test], [store.characters[i] for i in test])
    return quarter_turns(store, train), unturned


def run_trial(trial: Trial) -> Outcome | str:
    """Train and measure, as a worker does it; goes on where an earlier run was stopped.

    Returns:
        What came out, or why nothing did.
    """
    with BUSY:
        torch.set_num_threads(1)
        try:
            trial.folder.mkdir(parents=True, exist_ok=True)
            store = Store.load(trial.data)
            torch.manual_seed(SEED)
            learner = LEARNERS[trial.learner](trial.num_classes, trial.num_shot)
            if learner.normalised:
                store = normalised(store)
            train_store, test_store = characters(store, trial.split)
            way = learner.train_way or trial.num_classes
            everybody = torch.arange(len(train_store.characters))
            train = Episodes(train_store, everybody, way, trial.num_shot, SEED)
            steps, seconds = fit(trial, learner, train)
            outcome = measure(trial, learner, test_store, steps, seconds)
            partial = trial.outcome.with_suffix(".partial")
            partial.write_text(json.dumps(asdict(outcome), indent=2) + "\n")
            os.replace(partial, trial.outcome)
        except (CommandError, DataError) as error:
            return str(error)
        except OSError as error:
            return f"Cannot write to {trial.folder}: {error.strerror}."
        except KeyboardInterrupt:  # told to stop; a worker that goes on would take the next trial
            os._exit(1)
        except Exception as error:  # of this learner; others go on
            report = trial.folder / "error.txt"
            report.write_text(traceback.format_exc())
            return f"{trial.learner}: {type(error).__name__}: {error} ({report} says where.)"
    return outcome


def fit(trial: Trial, learner: Learner, train: Episodes) -> tuple[int, float]:
    """Let a learner learn until its time is spent.

    Time is processor time, so that it means the same beside other work.

    Returns:
        How many steps it took, in how many seconds.

    Raises:
        CommandError: the loss is not finite, or the checkpoint is damaged or of other settings.
    """
    steps, before = 0, 0.0
    settings = {"learner": trial.learner, "minutes": trial.minutes}
    settings |= {"num_classes": trial.num_classes, "num_shot": trial.num_shot}
    checkpoint = trial.folder / "checkpoint.pt"
    learner.train()
    learner.start()
    if learner.optimizer is None:
        return 0, 0.0
    if found := load(checkpoint, settings):
        try:
            steps, before = found["steps"], found["seconds"]
            learner.load_state_dict(found["learner_state"])
            learner.optimizer.load_state_dict(found["optimizer"])
            train.generator.set_state(found["episodes"])
            torch.set_rng_state(found["random"])
        except (KeyError, RuntimeError, ValueError) as error:  # of another version of the learner
            raise CommandError(DAMAGED.format(checkpoint)) from error
    keep_log(trial.log, before)

    def pause() -> None:
        """Save, and log."""
        save(
            checkpoint,
            {
                "settings": settings,
                "steps": steps,
                "seconds": seconds,
                "learner_state": learner.state_dict(),
                "optimizer": learner.optimizer.state_dict(),
                "episodes": train.generator.get_state(),
                "random": torch.get_rng_state(),
            },
        )
        with trial.log.open("a", newline="") as file:
            csv.writer(file).writerow((f"{seconds:.1f}", steps, f"{sum(losses) / len(losses):.4f}"))

    start, saved, seconds, losses = time.process_time(), before, before, []
    while seconds < 60 * trial.minutes:
        losses.append(learner.step(train, seconds / 60 / trial.minutes))
        steps += 1
        seconds = before + time.process_time() - start
        if not math.isfinite(losses[-1]):
            raise CommandError(f"{trial.learner}: the loss became {losses[-1]} at step {steps}.")
        if seconds - saved > SAVE_SECONDS or seconds >= 60 * trial.minutes:
            pause()
            saved, losses = seconds, []
            if is_cancelled():
                raise CommandError(f"{trial.learner}: stopped.")
    return steps, seconds


def keep_log(file: Path, seconds: float) -> None:
    """Drop lines of after the checkpoint: they will be written again."""
    rows = []
    if file.exists():
        with file.open(newline="") as lines:
            rows = [row for row in csv.reader(lines) if len(row) == 3 and row[0] != "seconds"]
    with file.open("w", newline="") as lines:
        kept = (row for row in rows if float(row[0]) <= seconds + 0.1)
        csv.writer(lines).writerows([("seconds", "steps", "loss"), *kept])


@torch.no_grad()
def measure(trial: Trial, learner: Learner, store: Store, steps: int, seconds: float) -> Outcome:
    """Answer the test tasks."""
    everybody = torch.arange(len(store.characters))
    test = Episodes(store, everybody, trial.num_classes, trial.num_shot, TEST_SEED)
    learner.eval()
    right, spent = [], 0.0
    for _ in range(TEST_TASKS // TEST_BATCH):
        images, labels = test.blocks(TEST_BATCH)
        hidden = labels.clone()
        hidden[:, -1] = 0
        start = time.process_time()
        logits = learner(images, hidden)
        spent += time.process_time() - start
        right.append(accuracy(logits, labels))
    right = torch.cat(right)
    return Outcome(
        learner=trial.learner,
        family=type(learner).__module__.split(".")[2],
        accuracy=right.mean().item(),
        interval=half_interval(right).item(),
        tasks=len(right),
        parameters=sum(weight.numel() for weight in learner.parameters()),
        steps=steps,
        seconds=seconds,
        milliseconds=1000 * spent / len(right),
        setting=learner.setting,
    )
