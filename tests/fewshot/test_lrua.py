"""The cell does what the paper's equations say, and nothing else.

The equations are written a second time here, for one example and one number at a time.
"""

import math

import pytest
import torch
from torch.autograd import gradcheck

from fewshot.learners.blackbox.lrua import MANNCell, MANNState
from fewshot.learners.blackbox.unroll import unroll

INPUTS, UNITS, CELLS, WIDTH, HEADS, STEPS, BATCH = 3, 5, 9, 4, 3, 7, 4
variants = pytest.mark.parametrize("strength", [False, True])


def make_cell(strength=False, **sizes):
    """A small cell in float64, with weights large enough that everything in it moves."""
    sizes = {
        "lstm_size": UNITS,
        "memory_size": CELLS,
        "memory_dim": WIDTH,
        "nb_reads": HEADS,
    } | sizes
    torch.manual_seed(1)
    cell = MANNCell(INPUTS, strength=strength, **sizes).double()
    for weight in cell.parameters():
        torch.nn.init.normal_(weight, std=0.7)
    return cell


def draw(*shape):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(2))


def draw_state():
    """A state in the middle of a sequence, without ties."""
    return MANNState(
        output=draw(BATCH, UNITS + HEADS * WIDTH).tanh(),
        carry=draw(BATCH, UNITS),
        memory=draw(BATCH, CELLS, WIDTH),
        reads=draw(BATCH, HEADS, CELLS).softmax(dim=2),
        usage=draw(BATCH, CELLS).abs(),
    )


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def times(weight, vector, bias=None):
    """A matrix by a vector, number by number."""
    bias = bias if bias is not None else [0.0] * len(weight)
    rows = zip(weight, bias, strict=True)
    return [sum(w * v for w, v in zip(row, vector, strict=True)) + b for row, b in rows]


def cosine(a, b):
    length = math.sqrt(sum(x * x for x in a)) * math.sqrt(sum(x * x for x in b))
    return sum(x * y for x, y in zip(a, b, strict=True)) / length


def literal_step(cell, x, output, carry, memory, reads, usage):
    """One step of one example, on lists of numbers."""
    w = {name: weight.tolist() for name, weight in cell.named_parameters()}
    units, width, heads, cells = cell.lstm_size, cell.memory_dim, cell.nb_reads, cell.memory_size
    gates = times(w["from_input.weight"], x, w["from_input.bias"])
    gates = [g + o for g, o in zip(gates, times(w["from_output.weight"], output), strict=True)]
    carry = [
        sigmoid(gates[u]) * carry[u] + sigmoid(gates[units + u]) * math.tanh(gates[3 * units + u])
        for u in range(units)
    ]
    hidden = [sigmoid(gates[2 * units + u]) * math.tanh(carry[u]) for u in range(units)]

    asked = times(w["heads.weight"], hidden, w["heads.bias"])
    take = iter(asked)
    keys = [[math.tanh(next(take)) for _ in range(width)] for _ in range(heads)]
    adds = [[math.tanh(next(take)) for _ in range(width)] for _ in range(heads)]
    alphas = [next(take) for _ in range(heads)]
    betas = [1 + math.log1p(math.exp(next(take))) if cell.strength else 1.0 for _ in range(heads)]

    nth_smallest = sorted(usage)[heads - 1]
    least = [1.0 if u <= nth_smallest else 0.0 for u in usage]
    writes = [
        [
            sigmoid(alphas[r]) * reads[r][i] + (1 - sigmoid(alphas[r])) * least[i]
            for i in range(cells)
        ]
        for r in range(heads)
    ]
    memory = [list(row) for row in memory]
    memory[usage.index(min(usage))] = [0.0] * width
    for r in range(heads):
        for i in range(cells):
            for j in range(width):
                memory[i][j] += writes[r][i] * adds[r][j]

    new_reads, values = [], []
    for r in range(heads):
        scores = [math.exp(betas[r] * cosine(keys[r], row)) for row in memory]
        new_reads.append([score / sum(scores) for score in scores])
        values += [sum(new_reads[r][i] * memory[i][j] for i in range(cells)) for j in range(width)]
    usage = [
        cell.gamma * usage[i] + sum(new_reads[r][i] + writes[r][i] for r in range(heads))
        for i in range(cells)
    ]
    return hidden + values, carry, memory, new_reads, usage


@variants
def test_a_cell_does_what_the_equations_say(strength):
    cell, inputs, state = make_cell(strength), draw(BATCH, STEPS, INPUTS), draw_state()
    outputs, end = unroll(cell, inputs, state)
    for b in range(BATCH):
        numbers = [part[b].tolist() for part in state]
        for t in range(STEPS):
            numbers = literal_step(cell, inputs[b, t].tolist(), *numbers)
            wanted = torch.tensor(numbers[0], dtype=torch.float64)
            torch.testing.assert_close(outputs[b, t], wanted, rtol=0, atol=1e-10)
        for part, wanted in zip(end, numbers, strict=True):
            wanted = torch.tensor(wanted, dtype=torch.float64)
            torch.testing.assert_close(part[b], wanted, rtol=0, atol=1e-10)


def test_the_first_state_is_the_one_described():
    state = make_cell().zero_state(2)
    assert state.output.shape == (2, UNITS + HEADS * WIDTH)
    assert not state.output.any()
    assert not state.carry.any()
    assert (state.memory == 1e-6).all()
    assert (state.reads == torch.eye(CELLS)[0]).all()
    assert (state.usage == torch.eye(CELLS)[0]).all()
    assert {part.dtype for part in state} == {torch.float64}


def test_sizes_are_those_of_the_paper():
    cell = MANNCell(405)
    output, state = cell(torch.zeros(2, 405), cell.zero_state(2))
    assert output.shape == (2, 200 + 4 * 40)
    assert state.memory.shape == (2, 128, 40)
    assert state.reads.shape == (2, 4, 128)
    assert cell.gamma == 0.95


@variants
def test_a_sequence_may_come_in_parts_and_its_inputs_at_once(strength):
    cell, inputs = make_cell(strength), draw(BATCH, STEPS, INPUTS)
    whole, end = unroll(cell, inputs)
    first, middle = unroll(cell, inputs[:, :3])
    second, last = unroll(cell, inputs[:, 3:], middle)
    torch.testing.assert_close(torch.cat([first, second], dim=1), whole)
    torch.testing.assert_close(last, end)
    at_once, _ = unroll(cell.step, cell.from_input(inputs), cell.zero_state(BATCH))
    torch.testing.assert_close(at_once, whole)


@variants
def test_examples_do_not_see_each_other(strength):
    cell, inputs = make_cell(strength), draw(BATCH, STEPS, INPUTS)
    together, _ = unroll(cell, inputs)
    alone = torch.cat([unroll(cell, one[None])[0] for one in inputs])
    torch.testing.assert_close(together, alone)


@variants
def test_the_order_of_the_cells_means_nothing(strength):
    cell, inputs, state = make_cell(strength), draw(BATCH, STEPS, INPUTS), draw_state()
    order = torch.randperm(CELLS, generator=torch.Generator().manual_seed(3))

    def permute(state):
        return state._replace(
            memory=state.memory[:, order],
            reads=state.reads[:, :, order],
            usage=state.usage[:, order],
        )

    outputs, end = unroll(cell, inputs, state)
    others, other_end = unroll(cell, inputs, permute(state))
    torch.testing.assert_close(others, outputs)
    torch.testing.assert_close(other_end, permute(end))


@variants
def test_gradients_are_those_of_the_function(strength):
    sizes = {"lstm_size": 2, "memory_size": 4, "memory_dim": 2, "nb_reads": 2}
    cell, inputs = make_cell(strength, **sizes), draw(2, 3, INPUTS).requires_grad_()
    names = [name for name, _ in cell.named_parameters()]

    def outputs(inputs, *weights):
        state = cell.zero_state(2)
        state = state._replace(memory=torch.linspace(0.1, 1, 8).double().view(4, 2).repeat(2, 1, 1))

        def step(x, state):
            return torch.func.functional_call(
                cell, dict(zip(names, weights, strict=True)), (x, state)
            )

        return unroll(step, inputs, state)[0]

    assert gradcheck(outputs, (inputs, *cell.parameters()))


def test_the_first_memory_gives_finite_gradients():
    cell = MANNCell(INPUTS)
    unroll(cell, draw(2, 50, INPUTS).float())[0].square().sum().backward()
    for weight in cell.parameters():
        assert weight.grad.isfinite().all()
        assert weight.grad.abs().max() < 1e6


def test_as_many_cells_are_least_used_as_there_are_reads_also_when_all_are_alike():
    """A head that never writes where it has read writes to those alone."""
    cell, state = make_cell(), draw_state()
    state = state._replace(usage=torch.ones(BATCH, CELLS).double(), memory=state.memory * 0)
    alphas = cell.heads.weight[2 * HEADS * WIDTH :]
    with torch.no_grad():
        alphas.zero_()
        cell.heads.bias[2 * HEADS * WIDTH :] = -900
    _, end = cell(draw(BATCH, INPUTS), state)
    assert (end.memory.ne(0).all(dim=2).sum(dim=1) == HEADS).all()
    assert (end.memory.ne(0).any(dim=2).sum(dim=1) == HEADS).all()


def test_no_gradient_flows_through_the_usage():
    _, end = unroll(make_cell(), draw(BATCH, STEPS, INPUTS).requires_grad_())
    assert not end.usage.requires_grad
    assert end.reads.requires_grad


def test_more_reads_than_cells_are_refused():
    with pytest.raises(ValueError, match="5 reads need as many cells, and there are 4"):
        MANNCell(INPUTS, memory_size=4, nb_reads=5)
