"""What Problems 3 and 4 compare: settings of hw1.py, and where their runs are."""

from dataclasses import dataclass
from pathlib import Path

SEED = 123  # hw1.py's own, as is the rest
STEPS = 25_000


@dataclass(frozen=True)
class Setting:
    """What Problems 3 and 4 vary of a run.

    Attributes:
        num_shot: K, support images of each character.
        num_classes: N, characters in a task.
        hidden_dim: width of the first LSTM.
        learning_rate: the optimizer's, at its highest.
    """

    num_shot: int
    num_classes: int
    hidden_dim: int = 128
    learning_rate: float = 1e-3

    def __str__(self) -> str:
        return f"K = {self.num_shot}, N = {self.num_classes}"

    def folder(self, seed: int) -> Path:
        """Where under `runs` hw1.py puts such a run; learning rates are folders around that."""
        name = Path(f"{self.num_classes}_{self.num_shot}_{seed}_{self.hidden_dim}")
        if self.learning_rate == Setting.learning_rate:
            return name
        return f"learning_rate_{self.learning_rate:g}" / name

    def options(self) -> list[str]:
        """hw1.py's."""
        return [f"--{name}={value}" for name, value in vars(self).items()]


@dataclass(frozen=True)
class Figure:
    """Settings that are drawn together.

    Attributes:
        name: its file's, without the problem.
        title: what it shows.
        settings: what each line is called, and its setting.
    """

    name: str
    title: str
    settings: dict[str, Setting]


EACH = [
    Figure(f"{one.num_shot}_shot_{one.num_classes}_way", str(one), {str(one): one})
    for one in (Setting(1, 2), Setting(2, 2), Setting(1, 3), Setting(1, 4))
]
CLASSES = Figure(
    "classes",
    "More classes, K = 1",
    {f"N = {N}": Setting(1, N) for N in (2, 3, 4)},
)
SHOTS = Figure(
    "shots",
    "More shots, N = 2",
    {f"K = {K}": Setting(K, 2) for K in (1, 2)},
)
LEARNING_RATES = Figure(
    "learning_rates",
    "Learning rates, K = 1, N = 3",
    {f"learning rate {rate}": Setting(1, 3, learning_rate=rate) for rate in (1e-1, 1e-3, 1e-5)},
)
HIDDEN_DIMS = Figure(
    "hidden_dims",
    "Widths of the first LSTM, K = 1, N = 3",
    {f"hidden {width}": Setting(1, 3, hidden_dim=width) for width in (8, 128, 256)},
)
PROBLEMS = {"problem3": [*EACH, CLASSES, SHOTS], "problem4": [LEARNING_RATES, HIDDEN_DIMS]}
TABLES = {
    "problem3": {str(one): one for figure in EACH for one in figure.settings.values()},
    "problem4": LEARNING_RATES.settings | HIDDEN_DIMS.settings,
}
