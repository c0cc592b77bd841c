"""The homework's network: its memory is the state of an LSTM."""

import torch
from torch import nn

from fewshot.learners.blackbox.reader import Reader


class MANN(Reader):
    """Two LSTMs that read a task, as in Homework 1 of CS330 (Stanford, 2022).

        h_t      = LSTM([image_t, label_t or 0], h_{t-1})
        logits_t = LSTM(h_t, logits_{t-1})

    The second LSTM is as wide as there are classes, and its output is taken as logits, so these
    are always between -1 and 1. Input weights begin as Xavier's, recurrent ones orthogonal, and
    biases at zero.

    The name is that of Santoro et al. 2016 ("Meta-learning with memory-augmented neural
    networks"), whose network has a memory beside its LSTM: `mann_lrua`.

    Args:
        num_classes: N of the task, and of every task it can answer.
        num_shot: K; any number can be answered.
        hidden: width of the first LSTM.
    """

    def __init__(self, num_classes: int, num_shot: int, hidden: int = 128) -> None:
        super().__init__()
        self.remember = nn.LSTM(784 + num_classes, hidden, batch_first=True)
        self.answer = nn.LSTM(hidden, num_classes, batch_first=True)
        for name, weight in self.named_parameters():
            if "weight_ih" in name:
                nn.init.xavier_uniform_(weight)
            elif "weight_hh" in name:
                nn.init.orthogonal_(weight)
            else:
                nn.init.zeros_(weight)

    def read(self, steps: torch.Tensor) -> torch.Tensor:
        """As of `Reader`."""
        memory, _ = self.remember(steps)
        return self.answer(memory)[0]
