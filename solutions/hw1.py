"""Homework 1, Problem 2: a memory-augmented network that learns from a few examples.

The network reads a task as one sequence: N·K labelled support images, then N query images whose
labels it has to name (Santoro et al., 2016). Its memory is the state of an LSTM.

You fill in two functions: `MANN.forward` and `MANN.loss_function`. Then train with

    python hw1.py --num_shot 1 --num_classes 2
    tensorboard --logdir runs/
"""

import argparse
import contextlib
import importlib.util
import math
import os
import random
import re
import signal
import sys
import traceback
from pathlib import Path

if missing := [
    name
    for name in ("numpy", "PIL", "tensorboard", "torch", "tqdm")
    if not importlib.util.find_spec(name)
]:
    sys.exit(
        f"Not installed for this Python: {', '.join(missing)}. "
        "First `source .venv/bin/activate`; README.md says how to make it."
    )

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader
from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard.summary import hparams
from tqdm import tqdm

from load_data import DataGenerator, DataProblem

WEIGHT_DECAY = 0.3  # of AdamW
WARM_UP = 0.1  # the part of training in which the learning rate rises; it falls in the rest
CURVE_TASKS = 600  # test tasks behind each point of Loss/test and Accuracy/test
FINAL_TASKS = 2000  # test tasks behind the accuracy printed at the end
SAVE_EVERY = 500  # steps between two checkpoints


def initialize_weights(lstm):
    """Xavier for the input weights, orthogonal for the recurrent ones, zero for the biases."""
    for name, weight in lstm.named_parameters():
        if "weight_ih" in name:
            nn.init.xavier_uniform_(weight)
        elif "weight_hh" in name:
            nn.init.orthogonal_(weight)
        else:
            nn.init.zeros_(weight)


class MANN(nn.Module):
    """Two LSTMs that read a task and answer at every step.

    Args:
        num_classes: N.
        samples_per_class: K+1, K support images and one query image.
        hidden_dim: width of the first LSTM, the network's memory.
    """

    def __init__(self, num_classes, samples_per_class, hidden_dim):
        super().__init__()
        self.num_classes = num_classes
        self.samples_per_class = samples_per_class
        self.layer1 = nn.LSTM(784 + num_classes, hidden_dim, batch_first=True)
        self.layer2 = nn.LSTM(hidden_dim, num_classes, batch_first=True)
        initialize_weights(self.layer1)
        initialize_weights(self.layer2)

    def forward(self, input_images, input_labels):
        """Read a batch of tasks and predict a label at every step. This is Problem 2a.

        Concatenate each image with its label; the query images, the last row, get zeros
        instead, for their labels are what the network has to find. Feed the rows one after
        the other as one sequence of (K+1)·N steps through the two layers.

        Args:
            input_images: float32 [B, K+1, N, 784].
            input_labels: float32 [B, K+1, N, N], one-hot.

        Returns:
            float32 [B, K+1, N, N]: for each image, a score (logit) for each class.
        """
        #### YOUR CODE GOES HERE ####
        # BEGIN SOLUTION Problem 2a
        support_labels, query_labels = input_labels[:, :-1], input_labels[:, -1:]
        labels = torch.cat([support_labels, torch.zeros_like(query_labels)], dim=1)
        steps = torch.cat([input_images, labels], dim=-1).flatten(1, 2)
        memory, _ = self.layer1(steps)
        scores, _ = self.layer2(memory)
        return scores.view(input_labels.shape)
        # END SOLUTION

    def loss_function(self, preds, labels):
        """The cross entropy of the query images alone. This is Problem 2b.

        Args:
            preds: float32 [B, K+1, N, N], what `forward` returned; the classes are the last axis.
            labels: float32 [B, K+1, N, N], one-hot.

        Returns:
            A scalar, the mean over the B·N query images.
        """
        #### YOUR CODE GOES HERE ####
        # BEGIN SOLUTION Problem 2b
        query_preds, query_labels = preds[:, -1], labels[:, -1]
        return F.cross_entropy(query_preds.flatten(0, 1), query_labels.flatten(0, 1))
        # END SOLUTION


# From here on everything is given.


def train_step(images, labels, model, optim, eval=False):
    """Predict a batch and, unless `eval`, update the model.

    Returns:
        (predictions [B, K+1, N, N], loss), both detached from the graph.
    """
    with torch.set_grad_enabled(not eval):
        predictions = model(images, labels)
        loss = model.loss_function(predictions, labels)
    if not eval:
        optim.zero_grad()
        loss.backward()
        optim.step()
    return predictions.detach(), loss.detach()


def soften(images):
    """Blur images by a 3×3 mean: [B, K+1, N, 784] → the same shape.

    A pen line is one pixel wide, so two drawings of a character share few pixels. Blurred lines
    overlap, which is worth about eight points of accuracy at K = 1, N = 4.
    """
    paper = F.pad(images.reshape(-1, 28, 28), (1, 1, 1, 1))
    rows = paper[:, :-2] + paper[:, 1:-1] + paper[:, 2:]
    return ((rows[..., :-2] + rows[..., 1:-1] + rows[..., 2:]) / 9).reshape(images.shape)


def turn(images, labels):
    """Turn each character of each task by 0, 90, 180 or 270 degrees, all its images alike.

    A turned character is a new character, so there are four times as many to learn from
    (Santoro et al., 2016).
    """
    B, _, N, _ = images.shape
    classes = labels.argmax(dim=-1).view(B, -1)  # which character each image shows
    quarters = torch.randint(4, (B, N), device=images.device).gather(1, classes).flatten()
    pictures = images.reshape(-1, 28, 28).clone()
    for quarter in (1, 2, 3):
        chosen = quarters == quarter
        pictures[chosen] = torch.rot90(pictures[chosen], quarter, dims=(1, 2))
    return pictures.view(images.shape)


def to_device(part, device):
    """Single precision first: MPS has no float64, which a sampler may well return."""
    return part.detach().to(torch.float32).to(device)


def draw_tasks(generator, count, device):
    """Draw `count` tasks as one batch: images [count, K+1, N, 784], labels [count, K+1, N, N]."""
    images, labels = next(iter(DataLoader(generator, batch_size=count)))
    return to_device(images, device), to_device(labels, device)


@torch.no_grad()
def evaluate(model, tasks, batch_size):
    """Query loss, and the query accuracy of every task, [tasks]."""
    model.eval()
    losses, accuracies = [], []
    for images, labels in zip(*(part.split(batch_size) for part in tasks), strict=True):
        predictions, loss = train_step(soften(images), labels, model, None, eval=True)
        right = predictions[:, -1].argmax(-1) == labels[:, -1].argmax(-1)
        losses.append(loss * len(images))
        accuracies.append(right.float().mean(dim=-1))
    model.train()
    return (torch.stack(losses).sum() / len(tasks[0])).item(), torch.cat(accuracies)


def draw_picture(images, labels):
    """Draw one task for TensorBoard: a row a shot, a label over each image, the query row framed.

    Args:
        images: [K+1, N, 784], ink 1 and paper 0.
        labels: [K+1, N, N], one-hot.

    Returns:
        uint8 [height, width, 3].
    """
    from PIL import Image, ImageDraw, ImageFont  # imageio brings it along

    shots, N, _ = images.shape
    tile, margin, left = 84, 26, 96
    canvas = Image.new("RGB", (left + N * (tile + 12) + 12, shots * (tile + margin) + 24), "white")
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(size=15)
    for k in range(shots):
        query = k == shots - 1
        top = k * (tile + margin) + (18 if query else 6)
        if query:
            draw.rectangle([4, top - 4, canvas.width - 5, canvas.height - 3], "#fff3d6", "#d08700")
        draw.text(
            (14, top + margin + tile // 2 - 10),
            "query" if query else f"shot {k + 1}",
            "#8a5a00" if query else "#444444",
            font,
        )
        for n in range(N):
            x = left + n * (tile + 12)
            ink = (255 - 255 * images[k, n].reshape(28, 28).clip(0, 1)).astype(np.uint8)
            picture = Image.fromarray(ink).resize((tile, tile), Image.NEAREST)
            canvas.paste(picture, (x, top + margin - 4))
            draw.rectangle(
                [x - 1, top + margin - 5, x + tile, top + margin + tile - 4], None, "#bbbbbb"
            )
            draw.text(
                (x + tile / 2, top + 10), f"class {labels[k, n].argmax()}", "black", font, "mm"
            )
    return np.asarray(canvas)


def check_problems(generator, model, device):
    """Try the three functions on a few tasks before training, to name what is wrong with them."""
    K1, N = generator.num_samples_per_class, generator.num_classes
    compare("Problem 1: _sample", generator._sample(), [[K1, N, 784], [K1, N, N]])
    images, labels = draw_tasks(generator, 32, device)
    support_labels = labels[:, :-1]
    if (labels.sum(-1) != 1).any() or (support_labels != torch.eye(N, device=device)).any():
        raise DataProblem(
            "Problem 1: the labels of _sample must be one-hot, and those of every support row "
            "in the order of the classes."
        )
    given = images.clone(), labels.clone()
    predictions = model(images, labels)
    compare("Problem 2a: forward", [predictions], [[32, K1, N, N]])
    loss = model.loss_function(predictions, labels)
    compare("Problem 2b: loss_function", [loss], [[]])
    if not getattr(loss, "requires_grad", False):
        raise DataProblem("Problem 2b: the loss has no gradient, so nothing would be learnt.")
    if not (torch.equal(images, given[0]) and torch.equal(labels, given[1])):
        raise DataProblem("Problem 2: forward or loss_function changes its inputs: clone them.")


def compare(what, arrays, shapes):
    """Raise a `DataProblem` unless `arrays` have these shapes."""
    try:
        given = f"shapes {[list(array.shape) for array in arrays]}"
    except (TypeError, AttributeError):
        given = f"no arrays but {arrays!r:.60}"
    if given != f"shapes {shapes}":
        raise DataProblem(f"{what} returned {given}; the handout asks for shapes {shapes}.")


def save(path, content):
    """`torch.save`, but a run killed half-way leaves the old file whole."""
    partial = path.with_suffix(".partial")
    try:
        torch.save(content, partial)
        os.replace(partial, path)
    except (OSError, RuntimeError) as error:
        partial.unlink(missing_ok=True)
        raise DataProblem(f"Cannot write {path}: is the disk full?") from error


def seed_everything(seed):
    """Seed every generator a homework may use."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def choose_device(name):
    """`auto` takes the first of CUDA and MPS that is there, else the CPU."""
    there = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if name == "auto":
        name = next(device for device, available in there.items() if available)
    if not there[name]:
        raise DataProblem(f"--device {name}: this machine has none. Use --device auto.")
    return torch.device(name)


def ignore_interrupts(worker):
    """Ctrl-C is for the main process, which stops its DataLoader workers itself."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def stop_gently():
    """Let the first Ctrl-C end training after the step it falls into, and a second one at once.

    Returns:
        A list that is empty until Ctrl-C.
    """
    stop = []

    def note(number, frame):
        stop.append(number)
        signal.signal(signal.SIGINT, signal.default_int_handler)

    signal.signal(signal.SIGINT, note)
    return stop


def load_batches(generator, config):
    """Batches without end: images [B, K+1, N, 784], labels [B, K+1, N, N]."""
    return iter(
        DataLoader(
            generator,
            batch_size=config.meta_batch_size,
            num_workers=config.num_workers,
            worker_init_fn=ignore_interrupts,
        )
    )


def make_optimizer(model, config):
    """AdamW, and a learning rate that rises to --learning_rate and falls back to zero."""
    optim = torch.optim.AdamW(
        model.parameters(), config.learning_rate, weight_decay=WEIGHT_DECAY, fused=True
    )

    def factor(step):
        done = (step + 1) / (config.train_steps + 1)
        if done < WARM_UP:
            return done / WARM_UP
        return (1 + math.cos(math.pi * (done - WARM_UP) / (1 - WARM_UP))) / 2

    return optim, torch.optim.lr_scheduler.LambdaLR(optim, factor)


def learn(batch, model, optim, schedule, device):
    """One training step on one batch of tasks; returns its loss as a number."""
    images, labels = (to_device(part, device) for part in batch)
    _, loss = train_step(soften(turn(images, labels)), labels, model, optim)
    schedule.step()
    return loss.item()


class Run:
    """A folder in runs/ with curves for TensorBoard, checkpoints and, at the end, weights."""

    def __init__(self, config):
        self.recipe = {name: vars(config)[name] for name in RECIPE}
        name = f"{config.num_classes}_{config.num_shot}_{config.random_seed}_{config.hidden_dim}"
        if config.model != "MANN":
            name += "_" + config.model.rpartition(":")[2]
        self.folder = Path(config.runs) / name
        self.checkpoint = self.folder / "checkpoint.pt"
        self.state = self.find_checkpoint() if config.resume else None
        if self.folder.exists() and not self.state:
            number = next(n for n in range(1, 10**6) if not Path(f"{self.folder}.{n}").exists())
            aside = self.folder.rename(f"{self.folder}.{number}")
            print(f"The earlier run in {self.folder} is now in {aside}.")
        # What was logged after the checkpoint will be logged again.
        purge_step = self.state["step"] + 1 if self.state else None
        self.writer = SummaryWriter(self.folder, purge_step=purge_step, flush_secs=5)

    def find_checkpoint(self):
        """The checkpoint to resume; it must have been made with the same settings."""
        if not self.checkpoint.exists():
            raise DataProblem(f"Nothing to resume in {self.folder}: start without --resume.")
        try:
            state = torch.load(self.checkpoint, weights_only=True, map_location="cpu")
            recipe = state["recipe"]
        except Exception as error:  # damage has many names
            raise DataProblem(f"{self.checkpoint} is damaged: start without --resume.") from error
        for name, value in self.recipe.items():
            if recipe.get(name) != value:
                raise DataProblem(
                    f"The run in {self.folder} has --{name} {recipe.get(name)}: keep to it."
                )
        return state

    def restore(self, **parts):
        """Load model, optimizer and schedule if this run is resumed; returns the steps done."""
        if not self.state:
            return 0
        try:
            for name, part in parts.items():
                part.load_state_dict(self.state[name])
        except (RuntimeError, ValueError) as error:
            raise DataProblem(
                f"{self.checkpoint} is of another network: start without --resume."
            ) from error
        return self.state["step"]

    def save(self, step, **parts):
        """Write a checkpoint."""
        states = {name: part.state_dict() for name, part in parts.items()}
        save(self.checkpoint, states | {"step": step, "recipe": self.recipe})

    def log_task(self, tasks):
        """Show the first of `tasks` and the settings in TensorBoard."""
        picture = draw_picture(*(part[0].cpu().numpy() for part in tasks))
        self.writer.add_image("Task", picture, dataformats="HWC")
        for summary in hparams(self.recipe, {"Accuracy/test": None}):
            self.writer.file_writer.add_summary(summary)

    def log(self, step, scalars):
        """Add a point to each curve."""
        for name, value in scalars.items():
            self.writer.add_scalar(name, value, step)


def check_settings(config):
    """Refuse settings that cannot work."""
    for name in ("num_classes", "num_shot", "eval_freq", "meta_batch_size", "hidden_dim"):
        if vars(config)[name] < 1:
            raise DataProblem(f"--{name} {vars(config)[name]}: it must be at least 1.")
    if config.train_steps < 1:
        raise DataProblem(f"--train_steps {config.train_steps}: training takes at least 1 step.")
    if config.num_workers < 0:
        raise DataProblem(f"--num_workers {config.num_workers}: it must not be negative.")
    if not 0 < config.learning_rate < float("inf"):
        raise DataProblem(f"--learning_rate {config.learning_rate}: it must be above 0, finite.")
    if not 0 <= config.until_accuracy <= 1:
        raise DataProblem(f"--until_accuracy {config.until_accuracy}: it must be from 0 to 1.")
    if abs(config.random_seed) >= 2**62:
        raise DataProblem(f"--random_seed {config.random_seed}: it must be below 2**62.")


def choose_model(name):
    """The class `name`: MANN, or the one that FILE.py:CLASS names (Problem 5)."""
    if name == "MANN":
        return MANN
    file, _, wanted = name.rpartition(":")
    if not file.endswith(".py") or not Path(file).is_file():
        raise DataProblem(f"--model {name}: give a file and a class of it, as in mine.py:Mine.")
    specification = importlib.util.spec_from_file_location(Path(file).stem, file)
    module = importlib.util.module_from_spec(specification)
    try:
        specification.loader.exec_module(module)
    except Exception as error:
        raise DataProblem(
            f"--model {name}: {file} cannot be imported: {type(error).__name__}: {error}"
        ) from error
    model = getattr(module, wanted, None)
    if not isinstance(model, type) or not issubclass(model, nn.Module):
        raise DataProblem(f"--model {name}: {file} has no torch.nn.Module of that name.")
    if not hasattr(model, "loss_function"):
        raise DataProblem(f"--model {name}: it has no loss_function; derive it from MANN of hw1.")
    return model


def fit(run, model, generator, curve_tasks, config):
    """Train `model` from where its run stands, and log its curves.

    Returns:
        The number of the last step.
    """
    device = curve_tasks[0].device
    optim, schedule = make_optimizer(model, config)
    parts = {"model": model, "optim": optim, "schedule": schedule}
    step = run.restore(**parts)
    if not step:
        run.log_task(curve_tasks)
    seed_everything(config.random_seed + step)
    batches = load_batches(generator, config)
    bar = tqdm(desc=run.folder.name, unit="step", total=config.train_steps, initial=step)
    losses, accuracy, stop = [], 0.0, stop_gently()
    try:
        while step < config.train_steps and accuracy <= config.until_accuracy and not stop:
            loss = learn(next(batches), model, optim, schedule, device)
            step += 1
            if not np.isfinite(loss):
                raise DataProblem(
                    f"The loss became {loss} at step {step}: lower --learning_rate (it is "
                    f"{config.learning_rate}), or look for a log or a division in loss_function."
                )
            losses.append(loss)
            bar.update()
            if step % config.eval_freq == 0 or step == config.train_steps:
                test_loss, right = evaluate(model, curve_tasks, config.meta_batch_size)
                loss, losses, accuracy = np.mean(losses), [], right.mean().item()
                curves = {"Loss/train": loss, "Loss/test": test_loss, "Accuracy/test": accuracy}
                run.log(step, curves)
                bar.set_postfix(loss=f"{loss:.3f}", test_accuracy=f"{accuracy:.3f}")
            if step % SAVE_EVERY == 0:
                run.save(step, **parts)
    finally:
        bar.close()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    run.save(step, **parts)
    if stop:
        sys.exit(f"Stopped at step {step}. To go on, give the same command with --resume.")
    return step


def main(config):
    """Train a network and measure it on characters that it has never seen."""
    check_settings(config)
    device = choose_device(config.device)
    seed_everything(config.random_seed)
    shape = (config.num_classes, config.num_shot + 1)
    data = {"data_folder": config.data_folder}
    train = DataGenerator(*shape, "train", data, cache=config.image_caching)
    test = DataGenerator(*shape, "test", data, cache=config.image_caching)
    model = choose_model(config.model)(*shape, config.hidden_dim).to(device)
    check_problems(train, model, device)
    curve_tasks = draw_tasks(test, CURVE_TASKS, device)

    run = Run(config)
    with contextlib.closing(run.writer):
        step = fit(run, model, train, curve_tasks, config)
        save(run.folder / "model.pt", model.state_dict())
        seed_everything(config.random_seed)
        _, right = evaluate(model, draw_tasks(test, FINAL_TASKS, device), config.meta_batch_size)
        accuracy, interval = right.mean().item(), 1.96 * right.std().item() / FINAL_TASKS**0.5
        run.log(step, {"Final/accuracy": accuracy, "Final/interval": interval})
    print(
        f"Test accuracy {accuracy:.3f} ± {interval:.3f} "
        f"({FINAL_TASKS} tasks, N = {config.num_classes}, K = {config.num_shot}, 95 % interval).\n"
        f"The weights are in {run.folder / 'model.pt'}. To see the curves:\n"
        f"    tensorboard --logdir {config.runs}/"
    )


def explain(error, config):
    """One line for an error in what the student wrote; None for any other error."""
    functions = {
        "_sample": "Problem 1: DataGenerator._sample",
        "forward": "Problem 2a: MANN.forward",
        "loss_function": "Problem 2b: MANN.loss_function",
    }
    mine, line_of_mine = Path(config.model.rpartition(":")[0]).stem, None
    text = "".join(traceback.format_exception(error))  # with that of a DataLoader worker in it
    inside = place = number = None
    for file, line, name in re.findall(r'(\w+)\.py", line (\d+), in ([\w.]+)', text):
        if name in functions and file in ("hw1", "load_data"):
            inside, place = functions[name], file
        if file == place:
            number = line  # the deepest line of that file
        if file == mine:
            line_of_mine = line
    # A library raises it too, for what it cannot do.
    if isinstance(error, NotImplementedError) and inside and file in ("hw1", "load_data"):
        problem, function = inside.split(": ")
        return f"{problem} is not filled in: {function} ({place}.py:{number})"
    message = f"{type(error).__name__}: {error}"
    if "DataLoader worker" in message:
        message = message.splitlines()[-1]
    message = " ".join(message.split()).rstrip(": ")
    if line_of_mine:
        return f"--model {config.model} (line {line_of_mine}) stopped with {message}"
    if inside:
        return f"{inside} ({place}.py:{number}) stopped with {message}"
    if "in check_problems" in text:
        return f"What you wrote cannot be called as the starter does: {message}"
    if "in collate" in text or "_collate" in text:
        return f"Problem 1: what _sample returns cannot be stacked to a batch: {message}"
    if isinstance(error, OSError):
        return f"A file could not be read or written: {error}"
    return None


def boolean(text):
    """`True` or `False` from the command line; argparse's `type=bool` takes both as true."""
    if text.lower() not in ("true", "false"):
        raise argparse.ArgumentTypeError(f"{text!r} is neither True nor False")
    return text.lower() == "true"


# What decides how a run goes on; --resume asks for the same values again.
RECIPE = (
    "model",
    "num_classes",
    "num_shot",
    "meta_batch_size",
    "hidden_dim",
    "random_seed",
    "learning_rate",
    "train_steps",
)

if __name__ == "__main__":
    parser = argparse.ArgumentParser(formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    add = parser.add_argument
    add("--num_classes", type=int, default=5, help="N, characters in a task")
    add("--num_shot", type=int, default=1, help="K, support images of each character")
    # Drawing a batch takes a fifth of a step. A worker draws it meanwhile but takes a core from
    # the model: on two cores no workers are fastest, on more try 1.
    add("--num_workers", type=int, default=0, help="processes that draw tasks")
    add("--eval_freq", type=int, default=100, help="steps between two points of the curves")
    add("--meta_batch_size", type=int, default=128, help="B, tasks in a batch")
    add("--hidden_dim", type=int, default=128, help="width of the first LSTM")
    add("--random_seed", type=int, default=123)
    add("--learning_rate", type=float, default=1e-3, help="its highest value")
    add("--train_steps", type=int, default=25000)
    add("--image_caching", type=boolean, default=True, help="True or False")
    add("--data_folder", default="./omniglot_resized")
    add("--runs", default="runs", help="folder that the folder of this run is made in")
    add("--model", default="MANN", help="or FILE.py:CLASS, another network (Problem 5)")
    add("--device", choices=["auto", "cpu", "cuda", "mps"], default="auto")
    add("--resume", action="store_true", help="go on where the run of these settings stopped")
    add("--until_accuracy", type=float, default=1.0, help="stop above this test accuracy")
    config = parser.parse_args()
    try:
        main(config)
    except KeyboardInterrupt:
        sys.exit("Stopped.")
    except DataProblem as error:
        sys.exit(str(error).splitlines()[-1].removeprefix("load_data.DataProblem: "))
    except Exception as error:
        explanation = explain(error, config)
        if explanation is None:
            raise
        sys.exit(explanation)
