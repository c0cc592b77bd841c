"""What the learners have in common that read a task as the homework's network does."""

import torch
import torch.nn.functional as F

from fewshot.data.episodes import Episodes
from fewshot.data.soften import blur
from fewshot.learners.learner import Learner

WEIGHT_DECAY = 0.3  # of AdamW; these networks overfit Omniglot's characters
WARM_UP = 0.1  # the part of the time in which the learning rate rises; it falls in the rest


class Reader(Learner):
    """Reads a task as one sequence of images, and answers at every step.

    First come the support images, each beside its label, then the query images beside zeros.
    What a query image is thought to be may therefore depend on the query images before it.

    Images are softened, in training and in evaluation: without an eye, two drawings of a
    character are compared by their pixels, and lines one pixel wide share few of them.
    """

    batch = 128
    rate = 3e-3
    setting = "softened images; queries seen one after the other"

    def read(self, steps: torch.Tensor) -> torch.Tensor:
        """[B, T, 784 + N] → logits [B, T, N]. A step depends on itself and those before it."""
        raise NotImplementedError

    def forward(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """As of `Learner`."""
        known = F.pad(labels[:, :-1], (0, 0, 0, 0, 0, 1))  # the query row's labels are zeros
        steps = torch.cat([blur(images), known], dim=-1)
        return self.read(steps.flatten(1, 2)).view(labels.shape)

    def start(self) -> None:
        """As of `Learner`, with weight decay."""
        self.optimizer = torch.optim.AdamW(
            self.parameters(), self.rate, weight_decay=WEIGHT_DECAY, fused=True
        )

    def step(self, train: Episodes, spent: float) -> float:
        """As of `Learner`, but the learning rate goes up a cosine before it goes down one."""
        warm = (spent - WARM_UP) / (1 - WARM_UP)
        return super().step(train, warm if warm >= 0 else 1 - spent / WARM_UP)
