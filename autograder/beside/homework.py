"""What the judge can ask of a submission."""

import os
import random
import sys
import time
import warnings
from contextlib import suppress
from itertools import islice

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader

from autograder.beside import HOME, stand_in, surroundings
from autograder.beside.adamw import adamw
from autograder.beside.layers import find_layers, named_weights, repr_layers
from autograder.beside.loading import load_file, made, makes_objects, run_starter
from autograder.beside.surroundings import prepare
from autograder.beside.values import Refused, expect_value, to_array, to_tensor
from autograder.beside.words import describe

DATA = {"data_folder": "./omniglot_resized", "img_size": (28, 28)}
PROGRESS = 1.0  # seconds between two reports of a training
GENERATOR = "DataGenerator(num_classes, num_samples_per_class, batch_type, config)"
MODEL = "MANN(num_classes, samples_per_class, hidden_dim)"


class Homework:
    """The submission's two modules, and what was made of them.

    Args:
        report: called with the step and the steps of a training, now and then.
    """

    def __init__(self, report):
        self.report = report
        self.notes = []
        self.generators = {}
        self.modules = {}

    def load(self, header, arrays):
        """Import both files; `only_definitions` leaves out what runs something."""
        self.only_definitions = header["only_definitions"]
        sys.path.insert(0, str(HOME))
        stand_in.install(str(HOME))
        prepare(self.notes)
        for name in ("load_data", "hw1"):
            sys.modules[name] = stand_in.module(name)
            path = HOME / f"{name}.py"
            with suppress(OSError, SyntaxError):  # the judge has said so already
                self.modules[name] = load_file(path, self.only_definitions, self.notes)
            os.chdir(HOME)
        problems = [
            f"{name}.py defines no class {thing}."
            for name, thing in (("load_data", "DataGenerator"), ("hw1", "MANN"))
            if name in self.modules and not makes_objects(getattr(self.modules[name], thing, None))
        ]
        return {"missing": sorted(stand_in.used), "problems": problems}, {}

    def generator(self, shot, way, split):
        """The submission's DataGenerator for K, N and a split, made once."""
        key = (shot, way, split)
        if key not in self.generators:
            try:
                self.generators[key] = self.new_generator(shot, way, split)
            except (MemoryError, OSError, RuntimeError):
                if not self.generators:
                    raise
                self.generators.clear()  # hw1.py has two at a time; they may be large
                self.generators[key] = self.new_generator(shot, way, split)
            if not surroundings.old_images and faint(self.generators[key]):
                surroundings.old_images = True
                self.generators.clear()
                path = HOME / "load_data.py"  # it may have read images when it was imported
                self.modules["load_data"] = load_file(path, self.only_definitions, [])
                self.generators[key] = self.new_generator(shot, way, split)
        return self.generators[key]

    def new_generator(self, shot, way, split):
        """Another of the submission's DataGenerators."""
        make = self.modules["load_data"].DataGenerator
        return made(make, GENERATOR, way, shot + 1, split, dict(DATA))

    def sample(self, header, arrays):
        """Draw tasks: images [T, K+1, N, 784] and labels [T, K+1, N, N]."""
        generator = self.generator(header["shot"], header["way"], header["split"])
        seed_everything(header["seed"])
        drawn = [self.one_task(generator) for _ in range(header["count"])]
        return {}, self.stack(drawn)

    def one_task(self, generator):
        task = expect_value(generator._sample(), generator._sample)
        if not isinstance(task, tuple | list) or len(task) != 2:
            raise Refused(f"{describe(task)}, where images and labels are expected")
        return [to_array(part) for part in task]

    def stack(self, drawn):
        for part in range(2):
            kinds = sorted({(task[part].shape, task[part].dtype.name) for task in drawn}, key=str)
            if len(kinds) > 1:
                raise Refused(f"tasks of different shapes or types, for example {kinds[:2]}")
        images, labels = (np.stack(parts) for parts in zip(*drawn, strict=True))
        return {"images": images, "labels": labels}

    def batch(self, header, arrays):
        """Batches from a DataLoader: images [B, K+1, N, 784] and labels [B, K+1, N, N]."""
        # A new one, as in hw1.py: threads that an old one has started do not reach the workers.
        self.generators.clear()
        generator = self.generator(header["shot"], header["way"], "train")
        seed_everything(header["seed"])
        with warnings.catch_warnings():  # on a machine of one core two workers are too many
            warnings.filterwarnings("ignore", message="This DataLoader will create")
            loader = DataLoader(
                generator, batch_size=header["batch_size"], num_workers=header["workers"]
            )
            (batch,) = islice(loader, 1)
        return {}, self.stack([[to_array(part) for part in batch]])

    def model(self, header, arrays):
        """A MANN with the weights that were sent, if it has the handout's layers."""
        way, shot, hidden = header["way"], header["shot"], header["hidden"]
        seed_everything(header["seed"])
        model = made(self.modules["hw1"].MANN, MODEL, way, shot + 1, hidden)
        if not isinstance(model, nn.Module):
            raise TypeError("MANN should be a torch.nn.Module; it is none")
        layers = find_layers(model, way, hidden)
        weights = {name: value for name, value in arrays.items() if name.startswith("layer")}
        if layers and weights:
            with torch.no_grad():
                for name, parameter in named_weights(layers):
                    parameter.copy_(to_tensor(weights[name]))
        model.train(header.get("training", True))  # the submission's may return nothing
        return model, layers

    def forward(self, header, arrays):
        """Predictions for each batch in turn by one model, the inputs after it, and gradients.

        Gradients are those of sum(predictions · direction) of the last batch.
        """
        model, layers = self.model(header, arrays)
        out = {}
        for call in range(header["calls"]):
            images, labels = (to_tensor(arrays[f"{part}{call}"]) for part in ("images", "labels"))
            predictions = expect_value(model(images, labels), model.forward)
            out |= {f"predictions{call}": to_array(predictions)}
            out |= {f"images{call}": to_array(images), f"labels{call}": to_array(labels)}
        if "direction" in arrays and getattr(predictions, "requires_grad", False):
            (predictions * to_tensor(arrays["direction"])).sum().backward()
            given = named_weights(layers) if layers else model.named_parameters()
            out |= {
                f"gradient.{name}": to_array(weight.grad)
                for name, weight in given
                if weight.grad is not None
            }
        return {"layers": bool(layers), "found": repr_layers(model)}, out

    def loss(self, header, arrays):
        """The loss of each pair of predictions and labels, its gradient, and both after it."""
        model, _ = self.model(header | {"hidden": 8}, {})
        out = {}
        for call in range(header["calls"]):
            predictions = to_tensor(arrays[f"predictions{call}"]).requires_grad_()
            # What a network returns is the result of a calculation, not a leaf.
            given, labels = predictions * 1, to_tensor(arrays[f"labels{call}"])
            loss = expect_value(loss_of(model, given, labels), model.loss_function)
            out |= {f"predictions{call}": to_array(given), f"labels{call}": to_array(labels)}
            out[f"loss{call}"] = to_array(loss)
            if getattr(loss, "requires_grad", False) and loss.numel() == 1:
                loss.sum().backward()
                if predictions.grad is not None:
                    out[f"gradient{call}"] = to_array(predictions.grad)
        return {}, out

    def train(self, header, arrays):
        """Train on the submission's own tasks: the loss of every step, and weights on the way.

        The optimizer, the softened and turned images are the starter's. The learning rate rises
        in the first `rise` steps and falls to zero at the last.
        """
        given = run_starter(header["given"])
        generator = self.generator(header["shot"], header["way"], "train")
        model, layers = self.model(header, arrays)
        weights = dict(named_weights(layers) if layers else model.named_parameters())
        rate, steps, rise = header["learning_rate"], header["steps"], header["rise"]
        update = adamw(list(model.parameters()), given.WEIGHT_DECAY)
        paper, ink, scale = header["paper"], header["ink"], header["scale"]
        seed_everything(header["seed"])
        batches = DataLoader(generator, header["batch"])
        losses, out, reported = [], {}, time.monotonic()
        for step, batch in enumerate(islice(batches, steps), start=1):
            images, labels = (given.to_device(part, "cpu") for part in batch)
            images = given.soften(given.turn((images - paper) / (ink - paper), labels)) * scale
            loss = model.loss_function(model(images, labels), labels)
            loss.backward()
            update(rate * min(step / rise, (steps - step + 1) / (steps - rise + 1)))
            losses.append(loss.item())
            if step in header["keep"]:
                # Copies, for the optimizer writes into the weights themselves.
                out |= {f"{step}.{name}": to_array(w).copy() for name, w in weights.items()}
            if time.monotonic() - reported > PROGRESS:
                reported = time.monotonic()
                self.report(step, steps)
        return {}, out | {"losses": np.array(losses)}


def faint(generator):
    """Whether ink and paper hardly differ, as where booleans are divided by 255."""
    with suppress(Exception):
        images = to_array(generator._sample()[0])
        return float(images.max()) - float(images.min()) < 0.02
    return False


def loss_of(model, predictions, labels):
    """What `loss_function` returns, which may need what `forward` leaves in the model."""
    try:
        return model.loss_function(predictions, labels)
    except Exception:
        with suppress(Exception):
            model(torch.zeros(*labels.shape[:3], 784), labels.clone())
            return model.loss_function(predictions, labels)
        raise


def seed_everything(seed):
    """Seed every generator a homework may use."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)
