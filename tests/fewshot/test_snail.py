"""SNAIL's blocks are the paper's equations, never look ahead, and look back all the way."""

import math

import pytest
import torch
from torch.autograd import gradcheck

from fewshot.learners.blackbox.snail import SNAIL, TC, Attention, Dense

BATCH, STEPS, INPUTS = 3, 7, 4
TIMES = torch.arange(STEPS)


def draw(*shape):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(2))


def make(module):
    """In float64, with weights large enough that every gate moves."""
    torch.manual_seed(1)
    for weight in module.double().parameters():
        torch.nn.init.normal_(weight, std=0.5)
    return module


BLOCKS = {
    "dense": lambda: make(Dense(INPUTS, 2, 3)),
    "tc": lambda: make(TC(INPUTS, STEPS, 3)),
    "attention": lambda: make(Attention(INPUTS, 5, 3)),
}
blocks = pytest.mark.parametrize("name", BLOCKS)


def linear(layer, x):
    """A linear layer, number by number."""
    rows = zip(layer.weight.tolist(), layer.bias.tolist(), strict=True)
    return [sum(w * v for w, v in zip(row, x, strict=True)) + bias for row, bias in rows]


def literal_dense(block, x):
    """x: a list of steps, each a list of numbers."""
    outputs = []
    for t, step in enumerate(x):
        past = x[t - block.dilation] if t >= block.dilation else [0.0] * len(step)
        sums = linear(block.kernel, past + step)
        half = len(sums) // 2
        gated = [
            math.tanh(value) / (1 + math.exp(-gate))
            for value, gate in zip(sums[:half], sums[half:], strict=True)
        ]
        outputs.append(step + gated)
    return outputs


def literal_tc(block, x):
    for dense in block:
        x = literal_dense(dense, x)
    return x


def literal_attention(block, x):
    key_size, _, value_size = block.sizes
    said = [linear(block.project, step) for step in x]
    outputs = []
    for t, step in enumerate(x):
        query = said[t][:key_size]
        scores = []
        for s in range(t + 1):
            key = said[s][key_size : 2 * key_size]
            product = sum(q * k for q, k in zip(query, key, strict=True))
            scores.append(math.exp(product / math.sqrt(key_size)))
        read = [
            sum(scores[s] * said[s][2 * key_size + v] for s in range(t + 1)) / sum(scores)
            for v in range(value_size)
        ]
        outputs.append(step + read)
    return outputs


LITERAL = {"dense": literal_dense, "tc": literal_tc, "attention": literal_attention}


@blocks
def test_a_block_is_the_papers_equations(name):
    block, x = BLOCKS[name](), draw(BATCH, STEPS, INPUTS)
    wanted = torch.tensor([LITERAL[name](block, one) for one in x.tolist()], dtype=torch.float64)
    torch.testing.assert_close(block(x, TIMES), wanted, rtol=0, atol=1e-10)


@blocks
def test_a_block_has_the_gradients_of_its_function(name):
    block, x = BLOCKS[name](), draw(2, STEPS, INPUTS).requires_grad_()
    # gradcheck changes the parameters where they are.
    assert gradcheck(lambda x, *_: block(x, TIMES), (x, *block.parameters()), fast_mode=True)


@blocks
def test_a_later_step_never_changes_an_earlier_output(name):
    block, x = BLOCKS[name](), draw(BATCH, STEPS, INPUTS)
    before = block(x, TIMES)
    for t in range(STEPS):
        changed = x.clone()
        changed[:, t] += 10
        differs = (block(changed, TIMES) != before).any(dim=2).any(dim=0)
        assert not differs[:t].any()
        assert differs[t]


@blocks
def test_examples_do_not_see_each_other(name):
    block, x = BLOCKS[name](), draw(BATCH, STEPS, INPUTS)
    alone = torch.cat([block(one[None], TIMES) for one in x])
    torch.testing.assert_close(block(x, TIMES), alone, rtol=0, atol=1e-12)


@pytest.mark.parametrize("length", [2, 3, 5, 6, 9, 21, 26])
def test_the_last_step_of_a_tc_block_sees_every_step(length):
    block = make(TC(INPUTS, length, 3))
    x = draw(1, length, INPUTS).requires_grad_()
    last = block(x, torch.arange(length))[0, -1, INPUTS:]
    (gradient,) = torch.autograd.grad(last.sum(), x)
    assert gradient[0].ne(0).any(dim=1).all()
    # and with one dense block less it would not
    assert 2 ** (len(block) - 1) < length <= 2 ** len(block)


@blocks
def test_steps_of_the_same_time_are_each_the_end_of_a_sequence_of_its_own(name):
    block, x = BLOCKS[name](), draw(BATCH, STEPS, INPUTS)
    support = 4
    at_once = block(x, TIMES.clamp(max=support))
    for query in range(support, STEPS):
        sequence = torch.cat([x[:, :support], x[:, query, None]], dim=1)
        alone = block(sequence, torch.arange(support + 1))
        torch.testing.assert_close(at_once[:, :support], alone[:, :support], rtol=0, atol=1e-12)
        torch.testing.assert_close(at_once[:, query], alone[:, support], rtol=0, atol=1e-12)


N, K = 3, 2


@pytest.fixture(scope="module")
def snail():
    """In evaluation mode, with statistics of batch norm that are not those it begins with."""
    torch.manual_seed(0)
    learner = SNAIL(N, K).double()
    learner(*task(8))
    return learner.eval()


def task(batch):
    images = torch.rand(batch, K + 1, N, 784, generator=torch.Generator().manual_seed(3)).double()
    return images, torch.eye(N).double().expand(batch, K + 1, N, N).clone()


@torch.no_grad()
def test_each_query_is_the_end_of_a_sequence_of_its_own(snail):
    images, labels = task(2)
    logits = snail(images, labels)
    assert logits.shape == (2, K + 1, N, N)
    for b in range(2):
        support = [
            torch.cat([snail.embed(images[b, k, n]), labels[b, k, n]])
            for k in range(K)
            for n in range(N)
        ]
        for query in range(N):
            last = torch.cat([snail.embed(images[b, K, query]), torch.zeros(N).double()])
            x = torch.stack([*support, last])[None]
            for block in snail.blocks:
                x = block(x, torch.arange(len(support) + 1))
            wanted = snail.answer(x[0, -1])
            torch.testing.assert_close(logits[b, K, query], wanted, rtol=0, atol=1e-10)


@torch.no_grad()
def test_a_query_is_answered_by_its_support_alone(snail):
    images, labels = task(4)
    logits = snail(images, labels)[:, -1]
    others = images.clone()
    others[:, -1, 1:] = 1 - others[:, -1, 1:]
    torch.testing.assert_close(snail(others, labels)[:, -1, 0], logits[:, 0], rtol=0, atol=1e-12)
    torch.testing.assert_close(snail(images[:1], labels[:1])[:, -1], logits[:1], rtol=0, atol=1e-12)
    exchanged = labels[:, :, :, [1, 0, 2]].clone()
    exchanged[:, -1] = labels[:, -1]
    assert not torch.allclose(snail(images, exchanged)[:, -1], logits)


@torch.no_grad()
def test_every_shot_counts(snail):
    images, labels = task(2)
    logits = snail(images, labels)[:, -1]
    for shot in range(K):
        for n in range(N):
            changed = images.clone()
            changed[:, shot, n] = 1 - changed[:, shot, n]
            assert not torch.allclose(snail(changed, labels)[:, -1], logits)


def test_sizes_are_the_papers():
    """5-way 1-shot: 69 channels, then those that each block adds."""
    snail = SNAIL(5, 1)
    assert [block.outputs for block in snail.blocks] == [
        69 + 32,
        69 + 32 + 3 * 128,
        69 + 32 + 3 * 128 + 128,
        69 + 32 + 3 * 128 + 128 + 3 * 128,
        69 + 32 + 3 * 128 + 128 + 3 * 128 + 256,
    ]
    assert [block.sizes for block in snail.blocks[::2]] == [
        [64, 64, 32],
        [256, 256, 128],
        [512, 512, 256],
    ]
