"""The matching network of "Hands-On One-shot Learning with Python", as its code has it."""

import torch
import torch.nn.functional as F
from torch import nn

from fewshot.learners.convnet import ConvNet

FILTERS, UNITS = 64, 32  # of each convolution; of the LSTM in each direction


class SourceMatching(nn.Module):
    """What differs from `Matching`, and from the paper:

    - a query is the last of the sequence that the LSTM reads in both directions, so every support
      example is seen in its light; there is no LSTM that attends;
    - the directions stand side by side and nothing is added to them;
    - the LSTM goes on from the state in which the task before has left it;
    - support embeddings have length 1 and the query's has any;
    - the probabilities are taken for logits: with 20 classes the loss is never below 2.08 nats.

    Args:
        batch: the most tasks that are answered at once, each with a state of its own.
    """

    def __init__(self, batch: int) -> None:
        super().__init__()
        self.embed = ConvNet(FILTERS)
        self.read = nn.LSTM(FILTERS, UNITS, bidirectional=True, batch_first=True)
        self.register_buffer("state", torch.zeros(2, 2, batch, UNITS))  # h and c, forth and back

    def match(
        self, support: torch.Tensor, labels: torch.Tensor, query: torch.Tensor
    ) -> torch.Tensor:
        """As of `Matching`. The state goes on from a task's first query."""
        tasks, queries = query.shape[:2]
        sequences = torch.cat(
            [support[:, None].expand(-1, queries, -1, -1), query[:, :, None]], dim=2
        )
        h, c = (part[:, :tasks].repeat_interleave(queries, dim=1) for part in self.state)
        seen, state = self.read(sequences.flatten(0, 1), (h, c))
        self.state[:, :, :tasks] = torch.stack(state).detach()[:, :, ::queries]
        seen = seen.view(tasks, queries, -1, 2 * UNITS)
        scores = F.normalize(seen[:, :, :-1], dim=-1) @ seen[:, :, -1, :, None]
        probability = scores.squeeze(-1).softmax(dim=-1) @ labels
        return probability.log_softmax(dim=-1)
