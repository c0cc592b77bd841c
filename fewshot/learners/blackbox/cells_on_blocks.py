"""Cells with a memory of their own on the homework's blocks."""

import torch
from torch import nn

from fewshot.learners.blackbox.lrua import MANNCell
from fewshot.learners.blackbox.ntm import NTM, LSTMController
from fewshot.learners.blackbox.queue_memory import QueueMemoryCell
from fewshot.learners.blackbox.reader import Reader
from fewshot.learners.blackbox.unroll import unroll

UNITS = 200  # of the controller, as in Santoro et al. 2016
SLOTS, WIDTH = 128, 40  # of the memory


class CellReader(Reader):
    """A cell reads a task; a linear layer makes its outputs logits.

    Args:
        cell: as in `unroll`, for inputs of 784 + N.
        num_classes: N.
    """

    def __init__(self, cell: nn.Module, num_classes: int) -> None:
        super().__init__()
        self.cell = cell
        self.answer = nn.Linear(cell.output_size, num_classes)

    def read(self, steps: torch.Tensor) -> torch.Tensor:
        """As of `Reader`."""
        outputs, _ = unroll(self.cell, steps)
        return self.answer(outputs)


def least_recently_used(num_classes: int, num_shot: int) -> CellReader:
    """An LSTM that writes where it has read or where nobody reads any more (lrua.py)."""
    return CellReader(MANNCell(784 + num_classes, UNITS, SLOTS, WIDTH), num_classes)


def neural_turing_machine(num_classes: int, num_shot: int) -> CellReader:
    """A controller with two heads that move over a memory (ntm.py)."""
    controller = LSTMController(784 + num_classes + WIDTH, UNITS)
    return CellReader(NTM(controller, SLOTS, WIDTH), num_classes)


def queue(num_classes: int, num_shot: int) -> CellReader:
    """An LSTM that forgets nothing of a task (queue_memory.py): a cell of memory for every step."""
    slots = num_classes * (num_shot + 1)
    return CellReader(QueueMemoryCell(784 + num_classes, UNITS, slots, WIDTH), num_classes)
