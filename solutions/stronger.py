"""Problem 5: black-box learners that read the same tasks as MANN and answer better.

    python solutions/hw1.py --num_shot 1 --num_classes 4 --model solutions/stronger.py:Stronger

MANN sees pixels and remembers by LSTMs. `Stronger` sees through convolutions and looks back by
attention; the other two change one of these alone, to say which change is worth what.
"""

import torch
from torch import nn

from hw1 import MANN

FEATURES = 64  # of an image


class Eye(nn.Module):
    """Convolutions: features that a moved or bent line hardly changes.

    images [..., 784] → [..., 64].
    """

    def __init__(self):
        super().__init__()
        layers = []
        for channels, filters in ((1, 16), (16, 32), (32, 64)):
            layers += [
                nn.Conv2d(channels, filters, 3, stride=2, padding=1, bias=False),
                nn.BatchNorm2d(filters),
                nn.ReLU(),
            ]
        self.layers = nn.Sequential(*layers, nn.Flatten(), nn.Linear(64 * 4 * 4, FEATURES))

    def forward(self, images):
        features = self.layers(images.reshape(-1, 1, 28, 28))
        return features.view(*images.shape[:-1], FEATURES)


class Attention(nn.Module):
    """Every step looks back at all support steps at once (Mishra et al., 2018).

    Nothing has to be kept in a state, and the order of the steps does not matter, because they are
    not numbered. steps [B, (K+1)·N, inputs] → scores [B, (K+1)·N, N].
    """

    def __init__(self, inputs, num_classes, width):
        super().__init__()
        layer = nn.TransformerEncoderLayer(
            width, nhead=4, dim_feedforward=2 * width, dropout=0, batch_first=True, norm_first=True
        )
        self.enter = nn.Linear(inputs, width)
        self.layers = nn.TransformerEncoder(
            layer, num_layers=2, norm=nn.LayerNorm(width), enable_nested_tensor=False
        )
        self.leave = nn.Linear(width, num_classes)

    def forward(self, steps):
        length, N = steps.shape[1], self.leave.out_features
        hidden = torch.zeros(length, length, dtype=torch.bool, device=steps.device)
        hidden[:, -N:] = True  # the queries, from each other
        hidden.fill_diagonal_(False)
        return self.leave(self.layers(self.enter(steps), mask=hidden))


class Memory(nn.Module):
    """MANN's two LSTMs. steps [B, (K+1)·N, inputs] → scores [B, (K+1)·N, N]."""

    def __init__(self, inputs, num_classes, width):
        super().__init__()
        self.layer1 = nn.LSTM(inputs, width, batch_first=True)
        self.layer2 = nn.LSTM(width, num_classes, batch_first=True)

    def forward(self, steps):
        return self.layer2(self.layer1(steps)[0])[0]


class Stronger(MANN):
    """Sees by `see`, whose output has `seen` numbers an image, and answers by `read`."""

    see, seen, read = Eye, FEATURES, Attention

    def __init__(self, num_classes, samples_per_class, hidden_dim):
        nn.Module.__init__(self)  # without MANN's own layers
        self.eye = self.see()
        self.reader = self.read(self.seen + num_classes, num_classes, hidden_dim)

    def forward(self, input_images, input_labels):
        B, K1, N, _ = input_images.shape
        labels = torch.cat([input_labels[:, :-1], torch.zeros_like(input_labels[:, -1:])], dim=1)
        steps = torch.cat([self.eye(input_images), labels], dim=-1)
        return self.reader(steps.view(B, K1 * N, -1)).view(B, K1, N, N)


class OnlyEye(Stronger):
    """MANN that sees through convolutions."""

    read = Memory


class OnlyAttention(Stronger):
    """MANN that looks back by attention."""

    see, seen = nn.Identity, 784
