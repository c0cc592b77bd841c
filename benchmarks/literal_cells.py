"""The memory cells as their papers write them: one example, one head and one step at a time.

What `benchmarks.memory` compares the batched cells with. Each function takes a cell, for its
weights and sizes, and one sequence [T, inputs], and returns the outputs [T, output_size].
"""

import torch
import torch.nn.functional as F


def least_recently_used(cell, sequence):
    """`MANNCell`, without a learned strength."""
    output, c, memory, reads, usage = (part[0] for part in cell.zero_state(1))
    outputs = []
    for x in sequence:
        h, c = controller(cell, x, output, c)
        said = cell.heads(h)
        vectors = said[: cell._words].tanh().view(2, cell.nb_reads, cell.memory_dim)
        alphas = said[cell._words :].sigmoid()
        least = usage.argsort()[: cell.nb_reads]
        unused = torch.zeros_like(usage)
        unused[least] = 1
        memory = memory.clone()
        memory[least[0]] = 0
        usage = cell.gamma * usage
        for head in range(cell.nb_reads):
            write = alphas[head] * reads[head] + (1 - alphas[head]) * unused
            memory = memory + torch.outer(write, vectors[1, head])
            usage = usage + write
        reads = [weights_of(key, memory) for key in vectors[0]]
        usage = (usage + sum(reads)).detach()
        output = torch.cat([h, *(read @ memory for read in reads)])
        outputs.append(output)
    return torch.stack(outputs)


def neural_turing_machine(cell, sequence):
    """`NTM` with an LSTM for a controller."""
    memory, weights, read, (h, c) = cell.zero_state(1)
    memory, weights, read = memory[0], list(weights[0]), read[0]
    outputs = []
    for x in sequence:
        h, c = cell.controller.lstm(torch.cat([x, read])[None], (h, c))
        *heads, erase, add = cell.heads(h[0]).split([cell.width + 6] * 2 + cell.sizes[1:])
        for i, said in enumerate(heads):
            key, strength, sharpness, gate, shift = said.split([cell.width, 1, 1, 1, 3])
            found = weights_of(key, memory, F.softplus(strength))
            weight = gate.sigmoid() * found + (1 - gate.sigmoid()) * weights[i]
            back, stay, on = shift.softmax(0)
            weight = back * weight.roll(-1) + stay * weight + on * weight.roll(1)
            weight = (weight + 1e-16) ** (1 + F.softplus(sharpness))
            weights[i] = weight / weight.sum()
        read = weights[0] @ memory
        memory = memory * (1 - torch.outer(weights[1], erase.sigmoid()))
        memory = memory + torch.outer(weights[1], add)
        outputs.append(torch.cat([h[0], read]))
    return torch.stack(outputs)


def queue(cell, sequence):
    """`QueueMemoryCell`."""
    output, c, memory = (part[0] for part in cell.zero_state(1)[:3])
    outputs = []
    for x in sequence:
        h, c = controller(cell, x, output, c)
        write, *keys = cell.heads(h).tanh().view(-1, cell.memory_dim)
        reads = [weights_of(key, memory) @ memory for key in keys]
        memory = torch.cat([write[None], memory[:-1]])
        output = torch.cat([h, *reads])
        outputs.append(output)
    return torch.stack(outputs)


def controller(cell, x, output, c):
    """One step of the LSTM that two of the cells have."""
    gates = cell.from_input(x) + cell.from_output(output)
    forget, admit, expose, let_in = gates.chunk(4)
    c = forget.sigmoid() * c + admit.sigmoid() * let_in.tanh()
    return expose.sigmoid() * c.tanh(), c


def weights_of(key, memory, strength=1.0):
    """The weights of the cells of a memory for one key."""
    return (strength * F.cosine_similarity(key, memory, dim=1)).softmax(0)
