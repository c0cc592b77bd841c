"""SNAIL (Mishra, Rohaninejad, Chen and Abbeel, 2018, "A simple neural attentive meta-learner").

It reads a task as a sequence, like an LSTM, but has no state: each step looks at the steps before
it, through convolutions over time that bring together what is near, and through attention that
finds what is alike. Every block keeps its input and adds channels to it (section 3, figure 2):

    dense(d, D):   x_t → [x_t, tanh(F [x_{t-d}, x_t]) ∘ σ(G [x_{t-d}, x_t])]      D channels more
    TC(T, D):      dense(1, D), dense(2, D), dense(4, D), … until T steps are seen
    attention(K, V):  q_t, k_t, v_t = linear(x_t), of widths K, K, V
                   x_t → [x_t, Σ_{s ≤ t} softmax_s(q_tᵀ k_s / √K) v_s]            V channels more

The convolutions have a kernel of two steps, and zeros stand before the first. The paper's
pseudocode has the dilations 2, 4, 8, …, with which a step sees no other at an odd distance in
such a block; a block is meant to see all T steps, and from 1 on it does.

A task has one query at the end of its sequence, so N queries are N sequences. They share the
support, whose steps cannot see the query. So the support is computed once, with all queries after
it at the same time T - 1: steps of the same time do not see each other. `times` says when a step
is.
"""

import math

import torch
import torch.nn.functional as F
from torch import nn

from fewshot.learners.convnet import ConvNet
from fewshot.learners.learner import Learner, on_query_row

EMBEDDING = 64
FILTERS = 128  # of each dense block


class Dense(nn.Module):
    """A gated causal convolution, added to its input: [B, T, inputs] → [B, T, inputs + filters].

    Args:
        inputs: channels of the input.
        dilation: how far back in time the kernel's other end is.
        filters: channels more.
    """

    def __init__(self, inputs: int, dilation: int, filters: int) -> None:
        super().__init__()
        self.dilation = dilation
        self.kernel = nn.Linear(2 * inputs, 2 * filters)

    def forward(self, x: torch.Tensor, times: torch.Tensor) -> torch.Tensor:
        """Look back once; the step of time t, if it is before the last time, stands at t."""
        then = times - self.dilation
        past = x.index_select(1, then.clamp(min=0)) * (then >= 0).unsqueeze(1)
        value, gate = self.kernel(torch.cat([past, x], dim=2)).chunk(2, dim=2)
        return torch.cat([x, value.tanh() * gate.sigmoid()], dim=2)


class TC(nn.ModuleList):
    """Dense blocks that look back further and further: [B, T, inputs] → [B, T, self.outputs].

    Args:
        inputs: channels of the input.
        length: T, of the times that have to be seen.
        filters: channels that each dense block adds.
    """

    def __init__(self, inputs: int, length: int, filters: int) -> None:
        blocks = math.ceil(math.log2(length))
        super().__init__(Dense(inputs + i * filters, 2**i, filters) for i in range(blocks))
        self.outputs = inputs + blocks * filters

    def forward(self, x: torch.Tensor, times: torch.Tensor) -> torch.Tensor:
        """One dense block after the other."""
        for block in self:
            x = block(x, times)
        return x


class Attention(nn.Module):
    """Causal attention with one head: [B, T, inputs] → [B, T, inputs + value].

    Args:
        inputs: channels of the input.
        key: K.
        value: V, channels more.
    """

    def __init__(self, inputs: int, key: int, value: int) -> None:
        super().__init__()
        self.sizes = [key, key, value]
        self.project = nn.Linear(inputs, sum(self.sizes))
        self.outputs = inputs + value

    def forward(self, x: torch.Tensor, times: torch.Tensor) -> torch.Tensor:
        """A step sees those of an earlier time, and itself."""
        query, key, value = self.project(x).split(self.sizes, dim=2)
        itself = torch.eye(len(times), dtype=torch.bool, device=x.device)
        seen = (times < times.unsqueeze(1)) | itself
        return torch.cat([x, F.scaled_dot_product_attention(query, key, value, seen)], dim=2)


class SNAIL(Learner):
    """The network of the paper's experiments on Omniglot (appendix C.1).

        x   = [linear(ConvNet(image)), label or 0]                  64 channels and the label
        x   = attention(64, 32), TC(128), attention(256, 128), TC(128), attention(512, 256) of x
        logits = linear(x at the query's step)

    The paper puts the support in random order; here it comes as the block has it, shot after shot.

    Args:
        num_classes: N of the task, and of every task it can answer.
        num_shot: K; the convolutions see a support of N·K images.
    """

    batch = 8
    setting = "batch norm: running"

    def __init__(self, num_classes: int, num_shot: int) -> None:
        super().__init__()
        length = num_classes * num_shot + 1
        self.embed = nn.Sequential(ConvNet(), nn.Linear(64, EMBEDDING))
        find = Attention(EMBEDDING + num_classes, 64, 32)
        gather = TC(find.outputs, length, FILTERS)
        find_more = Attention(gather.outputs, 256, 128)
        gather_more = TC(find_more.outputs, length, FILTERS)
        conclude = Attention(gather_more.outputs, 512, 256)
        self.blocks = nn.ModuleList([find, gather, find_more, gather_more, conclude])
        self.answer = nn.Linear(conclude.outputs, num_classes)

    def forward(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """As of `Learner`."""
        known = F.pad(labels[:, :-1], (0, 0, 0, 0, 0, 1))  # the query row's labels are zeros
        x = torch.cat([self.embed(images), known], dim=-1).flatten(1, 2)
        queries = images.shape[2]
        times = torch.arange(x.shape[1], device=x.device).clamp(max=x.shape[1] - queries)
        for block in self.blocks:
            x = block(x, times)
        return on_query_row(self.answer(x[:, -queries:]), images.shape[1] - 1)
