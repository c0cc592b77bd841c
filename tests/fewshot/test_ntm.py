"""The Neural Turing Machine's cell, against the paper's equations and what follows from them."""

import math

import pytest
import torch

from fewshot.learners.blackbox.ntm import NTM, FeedForwardController, LSTMController
from fewshot.learners.blackbox.unroll import unroll

INPUTS, UNITS, SLOTS, WIDTH = 3, 5, 6, 4


def make(controller="lstm", scale=1.5):
    """A small cell in float64 whose every gate is somewhere in the middle."""
    torch.manual_seed(7)
    inputs = INPUTS + WIDTH
    if controller == "lstm":
        cell = NTM(LSTMController(inputs, UNITS), SLOTS, WIDTH).double()
    else:
        cell = NTM(FeedForwardController(inputs, 7, UNITS), SLOTS, WIDTH).double()
    with torch.no_grad():
        for weight in cell.parameters():
            weight.normal_(std=scale / math.sqrt(weight.shape[-1]))
    return cell


def sequences(B=3, T=6):
    return torch.randn(B, T, INPUTS, dtype=torch.float64, generator=torch.manual_seed(8))


def somewhere(cell, B=3):
    """A state in which the memory is full and the heads are spread."""
    random = torch.Generator().manual_seed(9)
    state = cell.zero_state(B)
    memory = torch.randn(B, SLOTS, WIDTH, dtype=torch.float64, generator=random)
    weights = torch.rand(B, 2, SLOTS, dtype=torch.float64, generator=random).softmax(2)
    return state._replace(memory=memory, weights=weights)


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def softplus(x):
    return math.log(1 + math.exp(x))


def literal_controller(cell, x, inner):
    """Of one example, a list of numbers, with Hochreiter's LSTM or two layers of ReLU."""

    def linear(weight, bias, x):
        return [
            sum(w * value for w, value in zip(row, x, strict=True)) + b
            for row, b in zip(weight.tolist(), bias.tolist(), strict=True)
        ]

    controller = cell.controller
    if isinstance(controller, FeedForwardController):
        first, _, second, _ = controller.layers
        x = [max(0.0, value) for value in linear(first.weight, first.bias, x)]
        h = [max(0.0, value) for value in linear(second.weight, second.bias, x)]
    else:
        h, c = inner
        lstm = controller.lstm
        from_input = linear(lstm.weight_ih, lstm.bias_ih, x)
        from_state = linear(lstm.weight_hh, lstm.bias_hh, h)
        sums = [a + b for a, b in zip(from_input, from_state, strict=True)]
        i, f, g, o = (sums[k * UNITS : (k + 1) * UNITS] for k in range(4))
        c = [sigmoid(f[k]) * c[k] + sigmoid(i[k]) * math.tanh(g[k]) for k in range(UNITS)]
        h = [sigmoid(o[k]) * math.tanh(c[k]) for k in range(UNITS)]
        inner = (h, c)
    return h, inner, linear(cell.heads.weight, cell.heads.bias, h)


def literal_address(said, memory, before):
    """Equations 5 to 9 for one head of one example."""
    key, (beta, gamma, gate), shift = said[:WIDTH], said[WIDTH : WIDTH + 3], said[WIDTH + 3 :]
    beta, gamma, gate = softplus(beta), 1 + softplus(gamma), sigmoid(gate)
    shift = [math.exp(s) / sum(map(math.exp, shift)) for s in shift]
    similar = []
    for slot in memory:
        product = sum(k * m for k, m in zip(key, slot, strict=True))
        similar.append(product / math.hypot(*key) / math.hypot(*slot))
    content = [math.exp(beta * s) / sum(math.exp(beta * t) for t in similar) for s in similar]
    gated = [gate * c + (1 - gate) * w for c, w in zip(content, before, strict=True)]
    moved = [
        sum(
            gated[j] * shift[s + 1]
            for j in range(SLOTS)
            for s in (-1, 0, 1)
            if (j + s - i) % SLOTS == 0
        )
        for i in range(SLOTS)
    ]
    sharp = [w**gamma for w in moved]
    return [w / sum(sharp) for w in sharp]


def literal(cell, inputs, memory, weights, read, inner):
    """One example, one number at a time, in the order of the paper."""
    outputs = []
    for x in inputs:
        h, inner, said = literal_controller(cell, x + read, inner)
        size = WIDTH + 6
        weights = [
            literal_address(said[head * size : (head + 1) * size], memory, weights[head])
            for head in (0, 1)
        ]
        erase = [sigmoid(e) for e in said[2 * size : 2 * size + WIDTH]]
        add = said[2 * size + WIDTH :]
        read = [
            sum(weights[0][i] * memory[i][j] for i in range(SLOTS)) for j in range(WIDTH)
        ]  # eq. 2
        erased = [
            [memory[i][j] * (1 - weights[1][i] * erase[j]) for j in range(WIDTH)]
            for i in range(SLOTS)
        ]  # eq. 3
        memory = [
            [erased[i][j] + weights[1][i] * add[j] for j in range(WIDTH)] for i in range(SLOTS)
        ]  # eq. 4
        outputs.append(h + read)
    return outputs, memory, weights


@pytest.mark.parametrize("controller", ["lstm", "feed-forward"])
@pytest.mark.parametrize("begin", ["anew", "somewhere"])
def test_the_cell_is_the_papers_equations(controller, begin):
    cell, inputs = make(controller), sequences()
    state = cell.zero_state(3) if begin == "anew" else somewhere(cell)
    outputs, end = unroll(cell, inputs, state)
    for example in range(len(inputs)):
        inner = [part[example].tolist() for part in state.controller]
        expected = literal(
            cell, inputs[example].tolist(), *(part[example].tolist() for part in state[:3]), inner
        )
        for ours, theirs in zip((outputs, end.memory, end.weights), expected, strict=True):
            theirs = torch.tensor(theirs, dtype=torch.float64)
            torch.testing.assert_close(ours[example], theirs, rtol=0, atol=1e-10)


def test_gradients():
    """Of the inputs, the memory and every parameter, which gradcheck changes where they are."""
    cell = make()

    def three_steps(inputs, memory, *_):
        outputs, state = unroll(cell, inputs, somewhere(cell, 2)._replace(memory=memory))
        return outputs, state.memory

    inputs = sequences(2, 3).requires_grad_()
    memory = somewhere(cell, 2).memory.requires_grad_()
    parts = (inputs, memory, *cell.parameters())
    assert torch.autograd.gradcheck(three_steps, parts, fast_mode=True)


def test_every_parameter_learns():
    cell = make()
    outputs, _ = unroll(cell, sequences())
    outputs.square().sum().backward()
    for name, weight in cell.named_parameters():
        assert weight.grad.isfinite().all(), name
        assert weight.grad.abs().max() > 0, name


@pytest.mark.parametrize("controller", ["lstm", "feed-forward"])
def test_examples_do_not_see_each_other(controller):
    cell, inputs = make(controller), sequences()
    together, _ = unroll(cell, inputs)
    for example in range(len(inputs)):
        alone, _ = unroll(cell, inputs[example : example + 1])
        torch.testing.assert_close(together[example], alone[0], rtol=0, atol=1e-12)


@pytest.mark.parametrize("controller", ["lstm", "feed-forward"])
def test_a_sequence_in_two_parts_is_the_whole(controller):
    cell, inputs = make(controller), sequences()
    whole, end = unroll(cell, inputs)
    first, state = unroll(cell, inputs[:, :2])
    second, parts_end = unroll(cell, inputs[:, 2:], state)
    torch.testing.assert_close(torch.cat([first, second], 1), whole, rtol=0, atol=0)
    torch.testing.assert_close(parts_end.memory, end.memory, rtol=0, atol=0)


def without_moves(cell):
    """Say "stay" to both heads, always."""
    with torch.no_grad():
        for head in (0, 1):
            last = (head + 1) * (WIDTH + 6)
            cell.heads.weight[last - 3 : last] = 0
            cell.heads.bias[last - 3 : last] = torch.tensor([-900.0, 900.0, -900.0])
    return cell


@pytest.mark.parametrize("moves", [False, True])
def test_slots_have_no_order_but_for_the_moves(moves):
    cell = make() if moves else without_moves(make())
    inputs, state = sequences(), somewhere(cell)
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    permuted = state._replace(memory=state.memory[:, order], weights=state.weights[:, :, order])
    outputs, end = unroll(cell, inputs, state)
    theirs, their_end = unroll(cell, inputs, permuted)
    same = torch.allclose(outputs, theirs, rtol=0, atol=1e-12)
    same &= torch.allclose(end.memory[:, order], their_end.memory, rtol=0, atol=1e-12)
    same &= torch.allclose(end.weights[:, :, order], their_end.weights, rtol=0, atol=1e-12)
    assert same != moves


def test_turning_the_ring_only_turns_it():
    cell, inputs = make(), sequences()
    state = somewhere(cell)
    turned = state._replace(memory=state.memory.roll(2, 1), weights=state.weights.roll(2, 2))
    outputs, end = unroll(cell, inputs, state)
    theirs, their_end = unroll(cell, inputs, turned)
    torch.testing.assert_close(outputs, theirs, rtol=0, atol=1e-12)
    torch.testing.assert_close(end.weights.roll(2, 2), their_end.weights, rtol=0, atol=1e-12)


@pytest.mark.parametrize("scale", [0.1, 1.5, 30])
def test_weights_are_a_distribution_and_gradients_finite(scale):
    """In float32, with heads that are everywhere, in between, and in one slot alone."""
    cell = make(scale=scale).float()
    inputs = sequences(4, 30).float()
    state = cell.zero_state(4)
    total = 0
    for step in inputs.unbind(1):
        output, state = cell(step, state)
        assert (state.weights >= 0).all()
        torch.testing.assert_close(state.weights.sum(2), torch.ones(4, 2))
        total = total + output.sum()
    total.backward()
    assert all(weight.grad.isfinite().all() for weight in cell.parameters())


def test_heads_in_one_slot_that_never_move_have_gradients():
    """Then the other weights are 0, exactly, and have no logarithm."""
    cell = without_moves(make()).float()
    with torch.no_grad():
        for head in (0, 1):
            cell.heads.weight[head * (WIDTH + 6) + WIDTH + 2] = 0
            cell.heads.bias[head * (WIDTH + 6) + WIDTH + 2] = -900  # the gate: stay
    outputs, end = unroll(cell, sequences().float())
    torch.testing.assert_close(end.weights, cell.zero_state(3).weights)
    outputs.sum().backward()
    assert all(weight.grad.isfinite().all() for weight in cell.parameters())


def test_a_sequence_begins_the_same_each_time():
    cell = make()
    first, second = cell.zero_state(2), cell.zero_state(3)
    for ours, theirs in zip(first[:3], second[:3], strict=True):
        torch.testing.assert_close(ours[0], theirs[-1], rtol=0, atol=0)
    assert first.weights[:, :, 0].eq(1).all()
