"""The cell computes its equations, each example by itself, and can be fed in pieces."""

import math
from itertools import chain

import pytest
import torch
from torch.func import functional_call

from fewshot.learners.blackbox.queue_memory import QueueMemoryCell
from fewshot.learners.blackbox.unroll import unroll

INPUT, UNITS, CELLS, WIDTH, HEADS = 5, 6, 3, 4, 2
BATCH, STEPS = 3, 7  # more steps than cells: some of what is written falls out


@pytest.fixture
def cell():
    torch.manual_seed(0)
    cell = QueueMemoryCell(INPUT, UNITS, CELLS, WIDTH, HEADS).double()
    for weight in cell.parameters():  # the biases too, so that none is confused with another
        torch.nn.init.normal_(weight, std=0.6)
    return cell


@pytest.fixture
def inputs():
    return torch.randn(BATCH, STEPS, INPUT, dtype=torch.float64)


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def dot(a, b):
    return sum(x * y for x, y in zip(a, b, strict=True))


def cosine(a, b):
    lengths = math.sqrt(dot(a, a)) * math.sqrt(dot(b, b))
    return dot(a, b) / lengths if lengths else 0.0


def by_the_book(cell, sequence):
    """The outputs for one sequence, a number at a time, as the equations say it."""
    weights = {name: weight.tolist() for name, weight in cell.named_parameters()}
    output, c = [0.0] * cell.output_size, [0.0] * UNITS
    memory = [[0.0] * WIDTH] * CELLS
    outputs = []
    for x in sequence.tolist():
        gates = [
            dot(of_input, x) + bias + dot(of_output, output)
            for of_input, bias, of_output in zip(
                weights["from_input.weight"],
                weights["from_input.bias"],
                weights["from_output.weight"],
                strict=True,
            )
        ]
        h = []
        for i in range(UNITS):
            forget, admit, expose, let_in = gates[i::UNITS]
            c[i] = sigmoid(forget) * c[i] + sigmoid(admit) * math.tanh(let_in)
            h.append(sigmoid(expose) * math.tanh(c[i]))
        vectors = [
            math.tanh(dot(row, h) + bias)
            for row, bias in zip(weights["heads.weight"], weights["heads.bias"], strict=True)
        ]
        write, *keys = (vectors[i : i + WIDTH] for i in range(0, len(vectors), WIDTH))
        reads = []
        for key in keys:
            exponentials = [math.exp(cosine(key, slot)) for slot in memory]
            reads.append(
                [
                    sum(e * slot[i] for e, slot in zip(exponentials, memory, strict=True))
                    / sum(exponentials)
                    for i in range(WIDTH)
                ]
            )
        memory = [write, *memory[:-1]]
        output = [*h, *chain(*reads)]
        outputs.append(output)
    return torch.tensor(outputs, dtype=torch.float64), torch.tensor(memory, dtype=torch.float64)


def test_the_cell_computes_its_equations(cell, inputs):
    outputs, state = unroll(cell, inputs)
    for b in range(BATCH):
        expected, memory = by_the_book(cell, inputs[b])
        torch.testing.assert_close(outputs[b], expected, rtol=0, atol=1e-10)
        torch.testing.assert_close(state.memory[b], memory, rtol=0, atol=1e-10)


def test_gradients_are_those_of_the_function(cell, inputs):
    names = [name for name, _ in cell.named_parameters()]

    def outputs(inputs, *weights):
        state = cell.zero_state(len(inputs))
        results = []
        for x in inputs.unbind(dim=1):
            output, state = functional_call(
                cell, dict(zip(names, weights, strict=True)), (x, state)
            )
            results.append(output)
        return torch.stack(results)

    weights = [weight.detach().requires_grad_() for weight in cell.parameters()]
    assert torch.autograd.gradcheck(outputs, (inputs[:2, :5].requires_grad_(), *weights))


def test_an_empty_memory_gives_finite_gradients_in_float32(cell, inputs):
    cell.float()
    unroll(cell, inputs.float())[0].sum().backward()
    assert all(weight.grad.isfinite().all() for weight in cell.parameters())


def test_input_projected_at_once_is_input_projected_step_by_step(cell, inputs):
    at_once, _ = unroll(cell.step, cell.from_input(inputs), cell.zero_state(BATCH))
    torch.testing.assert_close(at_once, unroll(cell, inputs)[0], rtol=0, atol=1e-12)


def test_state_carried_across_calls_equals_one_call(cell, inputs):
    whole, end = unroll(cell, inputs)
    first, state = unroll(cell, inputs[:, :4])
    second, state = unroll(cell, inputs[:, 4:], state)
    torch.testing.assert_close(torch.cat([first, second], dim=1), whole, rtol=0, atol=1e-12)
    for ours, expected in zip(state, end, strict=True):
        torch.testing.assert_close(ours, expected, rtol=0, atol=1e-12)


def test_examples_of_a_batch_do_not_touch(cell, inputs):
    inputs.requires_grad_()
    outputs, _ = unroll(cell, inputs)
    for b in range(BATCH):
        alone, _ = unroll(cell, inputs[b : b + 1])
        torch.testing.assert_close(outputs[b : b + 1], alone, rtol=0, atol=1e-12)
        (gradient,) = torch.autograd.grad(outputs[b].sum(), inputs, retain_graph=True)
        assert [bool(g.any()) for g in gradient] == [other == b for other in range(BATCH)]


def test_reads_do_not_depend_on_the_order_of_the_memory(cell, inputs):
    _, state = unroll(cell, inputs)
    order = torch.tensor([2, 0, 1])
    permuted = state._replace(memory=state.memory[:, order], directions=state.directions[:, order])
    output, _ = cell(inputs[:, 0], state)
    torch.testing.assert_close(cell(inputs[:, 0], permuted)[0], output, rtol=0, atol=1e-12)
    other = state._replace(memory=state.memory.roll(1, dims=2))  # and the test can tell
    assert not torch.allclose(cell(inputs[:, 0], other)[0], output, atol=1e-6)


def test_the_memory_is_a_queue(cell, inputs):
    state, written = cell.zero_state(BATCH), []
    for x in inputs.unbind(dim=1):
        _, state = cell(x, state)
        written.insert(0, state.memory[:, 0])
        kept = written[:CELLS]
        assert torch.equal(state.memory[:, : len(kept)], torch.stack(kept, dim=1))
        assert not state.memory[:, len(kept) :].any()
        lengths = state.memory.norm(dim=2, keepdim=True).clamp(min=1e-12)
        torch.testing.assert_close(state.directions, state.memory / lengths)


def test_what_is_written_is_read_a_step_later(cell, inputs):
    """The first read finds an empty memory."""
    outputs, _ = unroll(cell, inputs)
    assert not outputs[:, 0, UNITS:].any()
    assert outputs[:, 1, UNITS:].all()


def test_weights_begin_as_in_keras():
    torch.manual_seed(0)
    cell = QueueMemoryCell(INPUT, UNITS, CELLS, WIDTH, HEADS)
    bias = cell.from_input.bias
    assert bias[:UNITS].eq(1).all()
    assert not bias[UNITS:].any()
    assert not cell.heads.bias.any()
    recurrent = cell.from_output.weight[:, :UNITS]
    torch.testing.assert_close(recurrent.t() @ recurrent, torch.eye(UNITS))
    bound = math.sqrt(6 / (INPUT + HEADS * WIDTH + 4 * UNITS))
    kernel = torch.cat([cell.from_input.weight, cell.from_output.weight[:, UNITS:]], dim=1)
    assert 0.95 * bound < kernel.abs().max() <= bound
    assert cell.heads.weight.abs().max() <= math.sqrt(6 / (UNITS + 3 * WIDTH))
