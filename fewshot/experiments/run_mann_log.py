"""What `run_mann` keeps of a training: how often it is right at each instance, step by step."""

import csv
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure
from torch.utils.tensorboard import SummaryWriter

from fewshot.analysis.figures import STYLE
from fewshot.commands import CommandError

SHOWN = {1: "1st", 2: "2nd", 3: "3rd", 4: "4th", 5: "5th", 10: "10th"}  # in tables and pictures


class Log:
    """Curves of one part, as a CSV file and for TensorBoard.

    Lines of iterations after `start` are of a run that was killed after its last checkpoint. They
    are dropped, for this run will write them again.

    Args:
        folder: of the file.
        part: "train" or "test".
        num_samples: images of a character.
        start: the iteration of the last checkpoint.
        save_every: iterations between two checkpoints.

    Raises:
        CommandError: there are more lines after `start` than lie between two checkpoints.
    """

    def __init__(
        self, folder: Path, part: str, num_samples: int, start: int, save_every: int
    ) -> None:
        self.part = part
        self.instances = range(1, num_samples + 1)
        self.file = folder / f"{part}.csv"
        header = ["iteration", "loss", *(f"accuracy_{k}" for k in self.instances)]
        lines = self.file.read_text().splitlines()[1:] if self.file.exists() else []
        rows = [row for row in (line.split(",") for line in lines) if len(row) == len(header)]
        if any(int(row[0]) > start + save_every for row in rows):
            raise CommandError(
                f"{self.file} is of another run: delete it, or name another --log-dir."
            )
        kept = [row for row in rows if int(row[0]) <= start]
        self._write("w", [header, *kept])

    def add(self, writer: SummaryWriter, iteration: int, loss: float, accuracies: list) -> None:
        """Log the mean loss, and the accuracy at each instance."""
        numbers = [f"{number:.4f}" for number in (loss, *accuracies)]
        self._write("a", [[str(iteration), *numbers]])
        writer.add_scalar(f"Loss/{self.part}", loss, iteration)
        for k, accuracy in zip(self.instances, accuracies, strict=True):
            if k in SHOWN:
                writer.add_scalar(f"Accuracy {self.part}/instance {k}", accuracy, iteration)

    def _write(self, mode: str, rows: list[list[str]]) -> None:
        with self.file.open(mode) as file:
            file.writelines(",".join(row) + "\n" for row in rows)


def draw(log: Path, title: str, num_classes: int) -> Path:
    """Draw a log's accuracies as PNG, beside it.

    Args:
        log: a file of `Log`, with one line at least.
        title: of the picture.
        num_classes: N.

    Returns:
        The picture's file.
    """
    with log.open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    iterations = [int(row["iteration"]) for row in rows]
    shown = {k: name for k, name in SHOWN.items() if f"accuracy_{k}" in rows[0]}
    # Whoever remembers everything guesses among the labels not given yet.
    best_guess = 100 * sum(1 / n for n in range(1, num_classes + 1)) / num_classes
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(7.2, 3.6))
        axes = figure.subplots()
        for place, (k, name) in enumerate(shown.items()):
            accuracies = [100 * float(row[f"accuracy_{k}"]) for row in rows]
            color = mpl.colormaps["viridis_r"](0.15 + 0.85 * place / len(SHOWN))
            axes.plot(iterations, accuracies, color=color, label=name)
        axes.axhline(best_guess, color="#888888", linewidth=0.8, linestyle=":")
        axes.text(
            iterations[-1],
            best_guess,
            "best guess at a 1st ",
            fontsize=7,
            color="#666666",
            ha="right",
            va="bottom",
        )
        axes.set_ylim(0, 100)
        axes.set_xlabel("iteration")
        axes.set_ylabel("right on new characters (%)")
        axes.xaxis.set_major_formatter("{x:,.0f}")
        axes.set_title(title, fontsize=9, fontweight="bold", loc="left")
        figure.legend(loc="outside right center", title="instance", reverse=True)
        picture = log.with_name("curves.png")
        figure.savefig(picture)
    return picture
