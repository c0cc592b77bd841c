"""Low-shot learning from imaginary data (Wang, Girshick, Hebert and Hariharan, 2018)."""

import torch
import torch.nn.functional as F
from torch import nn

from fewshot.data.episodes import Episodes
from fewshot.learners.convnet import ConvNet
from fewshot.learners.learner import Learner, on_query_row
from fewshot.learners.metric.prototypical import class_means


class Hallucination(Learner):
    """A prototypical network whose support is joined by examples that it has imagined.

    With the features f, the hallucinator G, the embedding φ of the prototypical head, and z drawn
    from a standard normal distribution, each support image x is joined by H others:

        x'_h  = G(f(x), z_h)
        c_n   = mean of φ over f(x) and x'_1 … x'_H of class n's support
        logit = -‖φ(f(query)) - c_n‖²

    Everything is learned together from the query's cross entropy (section 4), so G need not look
    real: it draws what helps. One z_h serves all images of a step, and in evaluation the last one
    drawn is kept, so that an answer can be repeated.

    Args:
        num_classes: N of the task; any number can be answered.
        num_shot: K; any number as well.
        hallucinated: H; without any this is a prototypical network.
    """

    setting = "batch norm: running"

    def __init__(self, num_classes: int, num_shot: int, hallucinated: int = 4) -> None:
        super().__init__()
        self.train_way = max(20, num_classes)
        self.features = ConvNet()
        self.hallucinate = Hallucinator(64)
        self.embed = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64))
        self.register_buffer("noise", torch.randn(hallucinated, 64))

    def step(self, train: Episodes, spent: float) -> float:
        """As of `Learner`, with noise of its own."""
        self.noise.normal_(generator=train.generator)
        return super().step(train, spent)

    def forward(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """As of `Learner`."""
        features = self.features(images)
        support = features[:, :-1]
        imagined = self.hallucinate(support, self.noise)
        examples = torch.cat([support, imagined.flatten(1, 2)], dim=1)
        shown = labels[:, :-1]
        told = torch.cat([shown, shown.repeat_interleave(len(self.noise), dim=1)], dim=1)
        prototypes = class_means(self.embed(examples), told)
        difference = self.embed(features[:, -1])[:, :, None] - prototypes[:, None]
        return on_query_row(-difference.square().sum(-1), images.shape[1] - 1)


class Hallucinator(nn.Module):
    """G, three layers with ReLUs, which begins as x + a little of z (section 4.3).

    Features are not negative, so an identity between ReLUs lets them through.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            [nn.Linear(2 * width, width), nn.Linear(width, width), nn.Linear(width, width)]
        )
        with torch.no_grad():
            for layer in self.layers:
                layer.weight.mul_(0.1)[:, :width] += torch.eye(width)
                layer.bias.zero_()

    def forward(self, examples: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """[B, K, N, D] and [H, D] → [B, K, H, N, D]."""
        B, K, N, D = examples.shape
        shape = (B, K, len(noise), N, D)
        pair = [examples[:, :, None].expand(shape), noise[:, None].expand(shape)]
        hidden = torch.cat(pair, dim=-1)
        for layer in self.layers:
            hidden = F.relu(layer(hidden))
        return hidden
