"""`python -m fewshot.experiments.ntm_copy`: a Neural Turing Machine learns to copy.

The machine sees a sequence of random bits and a mark of its end, and then, seeing nothing more,
has to give the sequence back. The mark has an input of its own. The machine learns
on lengths from 1 to 20 and is asked about longer ones that it has never seen: what it has
learned is a program rather than those lengths (Graves et al., 2014, section 4.1).
"""

import argparse
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from torch import nn
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from fewshot.checkpoint import Checkpoint
from fewshot.commands import (
    CommandError,
    Parser,
    above_zero,
    asked_to_stop,
    positive,
    results_in,
    run,
    seed,
)
from fewshot.learners.blackbox.ntm import (
    NTM,
    READ,
    WRITE,
    FeedForwardController,
    LSTMController,
)
from fewshot.learners.blackbox.unroll import unroll

LONGEST = 20  # in training
LONGER = (30, 50, 100)
PICTURES = (20, 50)
CLIP = 10.0  # of each entry of the gradient
LOG_EVERY = 25  # batches; every log line is a checkpoint as well
ASKED = 100  # sequences of each length behind the wrong bits at the end
EXAM = 330  # seed of these


@dataclass(frozen=True)
class Preset:
    """A task, and a machine for it."""

    bits: int  # in each step of a sequence
    marks: int  # 1: of the end; 2: of the start as well
    slots: int
    width: int
    controller: Callable[[int], nn.Module]  # of how many inputs it has
    learning_rate: float
    momentum: float
    alpha: float  # RMSprop's mean of squared gradients forgets at this rate


PRESETS = {
    # The paper's task and sizes. Its learning rate, 1e-4, is for batches of one sequence.
    "paper": Preset(8, 1, 128, 20, lambda inputs: LSTMController(inputs, 100), 1e-3, 0.9, 0.95),
    # "Hands-On One-shot Learning with Python"; momentum and α are PyTorch's. The book's learning
    # rate, 1e-2, stays at guessing.
    "book": Preset(
        10, 2, 64, 128, lambda inputs: FeedForwardController(inputs, 512, 256), 1e-3, 0.0, 0.99
    ),
}


class Copier(nn.Module):
    """An NTM and what turns its output into bits."""

    def __init__(self, preset: Preset):
        super().__init__()
        self.bits, self.marks = preset.bits, preset.marks
        controller = preset.controller(preset.bits + preset.marks + preset.width)
        self.cell = NTM(controller, preset.slots, preset.width)
        self.answer = nn.Linear(self.cell.output_size, preset.bits)

    def present(self, sequences: torch.Tensor) -> torch.Tensor:
        """What the machine sees: [B, L, bits] → [B, marks + 2L, bits + marks]."""
        B, L, _ = sequences.shape
        inputs = sequences.new_zeros(B, self.marks + 2 * L, self.bits + self.marks)
        start = self.marks - 1
        inputs[:, start : start + L, : self.bits] = sequences
        inputs[:, start + L, self.bits] = 1
        if self.marks == 2:
            inputs[:, 0, self.bits + 1] = 1
        return inputs

    def forward(self, sequences: torch.Tensor) -> torch.Tensor:
        """What it gives back, as logits: [B, L, bits] of 0.0 and 1.0 → [B, L, bits]."""
        outputs, _ = unroll(self.cell, self.present(sequences))
        return self.answer(outputs[:, -sequences.shape[1] :])


def draw(batch_size: int, length: int, bits: int, generator: torch.Generator) -> torch.Tensor:
    """Random sequences, float32 [B, length, bits] of 0 and 1."""
    return torch.randint(2, (batch_size, length, bits), generator=generator).float()


def count_wrong(logits: torch.Tensor, sequences: torch.Tensor) -> float:
    """Wrong bits per sequence."""
    return ((logits > 0) != (sequences > 0.5)).sum().item() / len(sequences)


def learn(
    model: Copier, optimizer: torch.optim.Optimizer, sequences: torch.Tensor
) -> tuple[float, float]:
    """One step; the loss and the wrong bits per sequence before it."""
    logits = model(sequences)
    loss = F.binary_cross_entropy_with_logits(logits, sequences)
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_value_(model.parameters(), CLIP)
    optimizer.step()
    return loss.item(), count_wrong(logits, sequences)


def train(model: Copier, options: argparse.Namespace) -> None:
    """Train from where the last run has saved, and save and log on the way."""
    preset = PRESETS[options.preset]
    optimizer = torch.optim.RMSprop(
        model.parameters(), options.learning_rate, preset.alpha, momentum=preset.momentum
    )
    generator = torch.Generator().manual_seed(options.seed)
    settings = {
        name: getattr(options, name)
        for name in ("preset", "sequences", "batch_size", "learning_rate", "seed")
    }
    done, lines = 0, []
    file = options.out / "checkpoint.pt"
    checkpoint = Checkpoint(file, settings, model, optimizer, generator)
    if found := checkpoint.restore():
        done, lines = found["done"], found["lines"]
        print(f"Going on after {done:,} sequences.", flush=True)

    losses, wrong = [], []
    with (
        asked_to_stop() as stop,
        SummaryWriter(options.out, purge_step=done + 1) as writer,
        tqdm(total=options.sequences, initial=done, unit="sequence") as bar,
    ):
        while done < options.sequences:
            if stop:
                raise KeyboardInterrupt
            # One length for a batch, so that there is nothing to mask.
            length = int(torch.randint(1, LONGEST + 1, (), generator=generator))
            batch_size = min(options.batch_size, options.sequences - done)
            sequences = draw(batch_size, length, preset.bits, generator)
            # Without a fall in the second half, the loss still jumps now and then at the end.
            left = 1 - done / options.sequences
            optimizer.param_groups[0]["lr"] = options.learning_rate * min(1, 2 * left)
            loss, bits = learn(model, optimizer, sequences)
            if not math.isfinite(loss):
                raise CommandError(
                    f"The loss became {loss} after {done:,} sequences: "
                    "try a lower --learning-rate, in another folder."
                )
            losses.append(loss)
            wrong.append(bits)
            done += batch_size
            bar.update(batch_size)
            if len(losses) == LOG_EVERY or done == options.sequences:
                loss, bits = sum(losses) / len(losses), sum(wrong) / len(wrong)
                losses, wrong = [], []
                lines.append(
                    f"{done:,} sequences: loss {loss:.4f} nats a bit, "
                    f"{bits:.2f} wrong bits a sequence"
                )
                bar.write(lines[-1], file=sys.stdout)
                sys.stdout.flush()
                writer.add_scalar("Loss/train", loss, done)
                writer.add_scalar("Wrong bits/train", bits, done)
                (options.out / "log.txt").write_text("\n".join(lines) + "\n")
                checkpoint.save(done=done, lines=lines)


@torch.no_grad()
def examine(model: Copier) -> dict[int, float]:
    """Length → wrong bits per sequence, for the lengths of training and for longer ones."""
    generator = torch.Generator().manual_seed(EXAM)
    wrong = {}
    for length in (*range(1, LONGEST + 1), *LONGER):
        sequences = draw(ASKED, length, model.bits, generator)
        wrong[length] = count_wrong(model(sequences), sequences)
    return wrong


@torch.no_grad()
def watch(model: Copier, sequence: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Copy one sequence and see where the heads are.

    Args:
        sequence: [L, bits].

    Returns:
        the logits [L, bits], and the weights [steps, 2, slots] of both heads.
    """
    state, outputs, weights = model.cell.zero_state(1), [], []
    for step in model.present(sequence[None]).unbind(dim=1):
        output, state = model.cell(step, state)
        outputs.append(output[0])
        weights.append(state.weights[0])
    return model.answer(torch.stack(outputs[-len(sequence) :])), torch.stack(weights)


def picture(model: Copier, length: int, file: Path) -> None:
    """Draw what was to copy, what came, and both heads, over the same steps."""
    sequence = draw(1, length, model.bits, torch.Generator().manual_seed(EXAM))[0]
    logits, weights = watch(model, sequence)
    steps, _, slots = weights.shape
    mark = steps - length - 0.5  # between the phases
    weights = weights.roll(slots // 2, dims=2)  # the heads begin in slot 0: cut the ring opposite
    used = (weights.amax(dim=(0, 1)) > 0.05).nonzero() - slots // 2
    shown = (max(used.min().item() - 3, -slots // 2), min(used.max().item() + 3, slots // 2))

    blank = sequence.new_full((steps - length, model.bits), torch.nan)
    rows = {
        "input": model.present(sequence[None])[0],
        "target": torch.cat([blank, sequence]),
        "output": torch.cat([blank, logits.sigmoid()]),
        "write head": weights[:, WRITE],
        "read head": weights[:, READ],
    }
    seen = "a length of the training" if length <= LONGEST else "longer than any in the training"
    wrong = count_wrong(logits[None], sequence[None])
    with mpl.rc_context({"font.size": 9, "figure.constrained_layout.use": True}):
        figure = Figure(figsize=(7.2, 8))
        figure.suptitle(
            f"A sequence of length {length}, {seen}: {wrong:.0f} of {sequence.numel()} bits wrong"
        )
        all_axes = figure.subplots(len(rows), 1, sharex=True, height_ratios=[1, 1, 1, 2.2, 2.2])
        for axes, (name, values) in zip(all_axes, rows.items(), strict=True):
            axes.set_title(name, loc="left", fontweight="bold")
            is_head = name.endswith("head")
            low = -slots // 2 if is_head else 0
            image = axes.imshow(
                values.T.numpy(),
                cmap="Greys",
                vmin=0,
                vmax=1,
                aspect="auto",
                interpolation="nearest",
                extent=(-0.5, steps - 0.5, low + values.shape[1] - 0.5, low - 0.5),
            )
            axes.axvline(mark, color="#bb5566", linewidth=1)
            axes.set_ylabel("slot" if is_head else "bit")
            if is_head:
                axes.set_ylim(shown[1] + 0.5, shown[0] - 0.5)
        step, bit = ((logits > 0) != (sequence > 0.5)).nonzero().T
        all_axes[2].scatter((step + steps - length).tolist(), bit.tolist(), s=8, color="#bb5566")
        all_axes[-1].set_xlabel("step (right of the red line it sees nothing and answers)")
        figure.colorbar(image, ax=list(all_axes), shrink=0.4, label="bit, probability or weight")
        figure.savefig(file, dpi=160)


def report(model: Copier, options: argparse.Namespace) -> None:
    """Print and log what the machine can do, and draw it."""
    wrong = examine(model)
    mean = sum(wrong[length] for length in range(1, LONGEST + 1)) / LONGEST
    print(f"Wrong bits a sequence, of {ASKED} new ones of each length:")
    print(f"  lengths 1 to {LONGEST}, as in the training: {mean:.3f}")
    for length in LONGER:
        print(f"  length {length}: {wrong[length]:.2f} of {length * model.bits}")
    with asked_to_stop(), SummaryWriter(options.out) as writer:
        for length, bits in wrong.items():
            writer.add_scalar("Wrong bits/at a length", bits, length)
    files = [options.out / f"copy_{length}.png" for length in PICTURES]
    for length, file in zip(PICTURES, files, strict=True):
        picture(model, length, file)
    print("Pictures:", *files)


def main(argv: list[str] | None = None) -> int:
    """Train, examine and draw; the exit status is 2 or 130 after one line of what went wrong."""
    parser = Parser(
        prog="python -m fewshot.experiments.ntm_copy",
        description="A Neural Turing Machine learns to copy sequences of random bits.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--preset", choices=PRESETS, default="paper", help="whose task, sizes and optimizer")
    add("--sequences", type=positive, default=30_000, metavar="N", help="of the training")
    add("--batch-size", type=positive, default=16, metavar="B", help="sequences of one length")
    add(
        "--learning-rate",
        type=above_zero,
        default=argparse.SUPPRESS,
        metavar="RATE",
        help="of RMSprop (default: the preset's)",
    )
    add("--seed", type=seed, default=1, help="of the weights and of the sequences")
    add(
        "--out",
        type=Path,
        default=argparse.SUPPRESS,
        metavar="FOLDER",
        help="of checkpoint, log and pictures (default: runs/ntm_copy_PRESET)",
    )
    options = parser.parse_args(argv)
    if "learning_rate" not in options:
        options.learning_rate = PRESETS[options.preset].learning_rate
    if "out" not in options:
        options.out = Path("runs") / f"ntm_copy_{options.preset}"

    def command() -> int:
        torch.set_num_threads(1)  # steps are too small to share
        torch.manual_seed(options.seed)
        model = Copier(PRESETS[options.preset])
        with results_in(options.out):
            train(model, options)
            report(model, options)
        return 0

    return run(command, (CommandError,))


if __name__ == "__main__":
    sys.exit(main())
