"""Wrong ways to run the network: each entry is one, and fits if it gives the same predictions."""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from autograder.layout import LAYOUTS, close
from autograder.mistakes.catalogue import Fits, mistake

VALUE = "forward/value"
QUERY_LABELS = "forward/query_labels"
INPUTS = "forward/inputs"


@dataclass(frozen=True)
class ForwardCase:
    """What `forward` answered.

    Attributes:
        models: for each layout a MANN of ours that has the weights of the submission's.
        asked: (images, labels) of each call.
        answered: predictions of each call.
    """

    models: list[torch.nn.Module]
    asked: list[tuple[torch.Tensor, torch.Tensor]]
    answered: list[torch.Tensor]


Network = Callable[[torch.nn.Module, torch.Tensor, torch.Tensor], torch.Tensor]


def network(*checks: str, why: str, look: str) -> Callable[[Network], Fits]:
    """An entry that fits if the function gives every answer of the case in one of the layouts."""

    def register(function: Network) -> Fits:
        @torch.no_grad()
        def fits(case: ForwardCase) -> bool:
            return any(
                all(
                    close(answer, layout.run(function, model, *question))
                    for question, answer in zip(case.asked, case.answered, strict=True)
                )
                for layout, model in zip(LAYOUTS, case.models, strict=True)
            )

        fits.__name__ = function.__name__
        return mistake(*checks, why=why, look=look)(fits)

    return register


def read(model, images, labels, state=None):
    """Both layers over rows of images and labels in order: [B, rows, N, N], and the states."""
    steps = torch.cat([images, labels], dim=-1).flatten(1, 2)
    state1, state2 = state or (None, None)
    memory, state1 = model.layer1(steps, state1)
    scores, state2 = model.layer2(memory, state2)
    return scores.view(labels.shape), (state1, state2)


def hide(labels, *where):
    """A copy of the labels with zeros at an index."""
    hidden = labels.clone()
    hidden[where] = 0
    return hidden


ALL = slice(None)


@network(
    VALUE,
    QUERY_LABELS,
    why="The network is shown the query labels, which it is to find.",
    look="Concatenate zeros instead of labels to the images of the last row.",
)
def query_labels_seen(model, images, labels):
    return read(model, images, labels)[0]


@network(
    VALUE,
    QUERY_LABELS,
    why="The labels of the support set are zeroed instead of those of the query set.",
    look="The query set is the last row, [:, -1]; the support set, [:, :-1], keeps its labels.",
)
def support_zeroed(model, images, labels):
    return read(model, images, hide(labels, ALL, slice(None, -1)))[0]


@network(
    VALUE,
    QUERY_LABELS,
    why="The labels of the first row are zeroed; the query set is the last row.",
    look="Look at the index of the second axis: it should be -1.",
)
def first_row_zeroed(model, images, labels):
    return read(model, images, hide(labels, ALL, 0))[0]


@network(
    VALUE,
    QUERY_LABELS,
    why="The labels of row 1 are zeroed, which is the query row for K = 1 alone.",
    look="Look at the index of the second axis: -1 is the query row for every K.",
)
def second_row_zeroed(model, images, labels):
    return read(model, images, hide(labels, ALL, 1))[0]


@network(
    VALUE,
    why="The labels of all rows but the first are zeroed; for K > 1 the support set loses some.",
    look="Only the last row is the query set: [:, -1], not [:, 1:].",
)
def later_shots_zeroed(model, images, labels):
    return read(model, images, hide(labels, ALL, slice(1, None)))[0]


@network(
    VALUE,
    QUERY_LABELS,
    why="Only the label of the last query image is zeroed; all N query images need zeros.",
    look="Zero the whole last row of the labels, [:, -1], before flattening the rows.",
)
def last_image_zeroed(model, images, labels):
    return read(model, images, hide(labels, ALL, -1, -1))[0]


@network(
    VALUE,
    QUERY_LABELS,
    why="Only the last task of the batch has its query labels zeroed.",
    look="The first axis is the batch: write [:, -1], not [-1].",
)
def last_task_zeroed(model, images, labels):
    return read(model, images, hide(labels, -1, -1))[0]


@network(
    VALUE,
    QUERY_LABELS,
    why="The last task of the batch has all its labels zeroed, the others none.",
    look="The first axis is the batch: write [:, -1], not [-1].",
)
def last_task_blank(model, images, labels):
    return read(model, images, hide(labels, -1))[0]


@network(
    VALUE,
    why="All labels are zeroed, so the network cannot know which class is which.",
    look="Only the query labels, the last row, are replaced by zeros.",
)
def all_labels_zeroed(model, images, labels):
    return read(model, images, torch.zeros_like(labels))[0]


@network(
    VALUE,
    why="The query images are zeroed as well as their labels, so there is nothing to name.",
    look="Zeros take the place of the labels alone.",
)
def query_images_zeroed(model, images, labels):
    return read(model, hide(images, ALL, -1), hide(labels, ALL, -1))[0]


def right(model, images, labels):
    """The handout's network."""
    return read(model, images, hide(labels, ALL, -1))[0]


@network(
    VALUE,
    why="forward ends in a softmax; it should return logits, since the loss has its own softmax.",
    look="Return what layer2 gives.",
)
def softmax(model, images, labels):
    return right(model, images, labels).softmax(-1)


@network(
    VALUE,
    why="forward ends in a log-softmax; it should return what layer2 gives.",
    look="Leave the softmax to loss_function.",
)
def log_softmax(model, images, labels):
    return right(model, images, labels).log_softmax(-1)


@network(
    VALUE,
    why="forward ends in a sigmoid; it should return what layer2 gives.",
    look="Return the logits as they are.",
)
def sigmoid(model, images, labels):
    return right(model, images, labels).sigmoid()


def read_in_order(model, images, labels, order):
    """The right steps, read in another order and put back as if they were in ours."""
    labels = hide(labels, ALL, -1)
    shuffled = [part.flatten(1, 2)[:, order].view(part.shape) for part in (images, labels)]
    return read(model, *shuffled)[0]


def by_character(rows, way):
    """The cells of `rows` rows in the order character by character."""
    return torch.arange(rows * way).view(rows, way).T.flatten()


@network(
    VALUE,
    why="The images are read character by character, and the predictions are reshaped as if they "
    "had been read row by row.",
    look="A transpose before the layers needs its opposite after them; a reshape is none.",
)
def outputs_reordered(model, images, labels):
    return read_in_order(model, images, labels, by_character(*labels.shape[1:3]))


@network(
    VALUE,
    why="The support set is read character by character, and its predictions are reshaped as if it "
    "had been read row by row.",
    look="A transpose before the layers needs its opposite after them; a reshape is none.",
)
def support_reordered(model, images, labels):
    rows, way = labels.shape[1:3]
    support = by_character(rows - 1, way)
    query = torch.arange(len(support), rows * way)
    return read_in_order(model, images, labels, torch.cat([support, query]))


@network(
    VALUE,
    why="The images are read character by character, so most query images come before the "
    "support set is complete.",
    look="Flatten the axes K+1 and N in this order, without a transpose.",
)
def character_by_character(model, images, labels):
    order = by_character(*labels.shape[1:3])
    answers = read_in_order(model, images, labels, order)
    return answers.flatten(1, 2)[:, order.argsort()].view(labels.shape)


@network(
    VALUE,
    why="The query set is read before the support set.",
    look="Concatenate the rows in their order: support first, query last.",
)
def query_first(model, images, labels):
    swapped = read(model, images.roll(1, dims=1), hide(labels, ALL, -1).roll(1, dims=1))[0]
    return swapped.roll(-1, dims=1)


@network(
    VALUE,
    why="The sequence runs over the batch: the layers read one task after the other.",
    look="The layers have batch_first=True: give them [B, (K+1)·N, 784+N].",
)
def batch_as_time(model, images, labels):
    steps = torch.cat([images, hide(labels, ALL, -1)], dim=-1).flatten(1, 2).transpose(0, 1)
    return model.layer2(model.layer1(steps)[0])[0].transpose(0, 1).reshape(labels.shape)


@network(
    VALUE,
    why="The query images are read by a network without memory of the support set.",
    look="Read both in one sequence, or give the states after the support set to the second call.",
)
def state_reset(model, images, labels):
    labels = hide(labels, ALL, -1)
    support = read(model, images[:, :-1], labels[:, :-1])[0]
    return torch.cat([support, read(model, images[:, -1:], labels[:, -1:])[0]], dim=1)


@network(
    VALUE,
    why="Each row is read by a network without memory of the rows before.",
    look="Read all (K+1)·N images of a task in one sequence.",
)
def rows_apart(model, images, labels):
    labels = hide(labels, ALL, -1)
    rows = [
        read(model, images[:, k : k + 1], labels[:, k : k + 1])[0] for k in range(labels.shape[1])
    ]
    return torch.cat(rows, dim=1)


@network(
    VALUE,
    why="Each image comes with the label of the image before it, as in Santoro et al.; the "
    "handout gives every support image its own label.",
    look="Concatenate images[:, k, n] with labels[:, k, n].",
)
def labels_shifted(model, images, labels):
    steps = hide(labels, ALL, -1).flatten(1, 2).roll(1, dims=1)
    steps[:, 0] = 0
    return read(model, images, steps.view(labels.shape))[0]


@network(
    VALUE,
    why="Each image comes with the label of the next one.",
    look="Concatenate images[:, k, n] with labels[:, k, n].",
)
def labels_of_next(model, images, labels):
    steps = hide(labels, ALL, -1).flatten(1, 2).roll(-1, dims=1)
    return read(model, images, steps.view(labels.shape))[0]


@network(
    VALUE,
    why="The images are divided by 255, although their pixels end at 1.",
    look="image_file_to_array has scaled them already: leave them as they are.",
)
def divided_by_255(model, images, labels):
    return right(model, images, labels)


@mistake(
    VALUE,
    why="The first call is right, but in the next one the network still remembers the last batch.",
    look="Start every call with fresh states: do not keep them in self.",
)
def memory_kept(case: ForwardCase) -> bool:
    with torch.no_grad():
        return any(
            close(case.answered[0], layout.run(right, model, *case.asked[0]))
            and not close(case.answered[1], layout.run(right, model, *case.asked[1]))
            for layout, model in zip(LAYOUTS, case.models, strict=True)
        )


@mistake(
    INPUTS,
    why="forward writes into the labels or images it is given, so that the loss sees zeros too.",
    look="Work on a copy: labels.clone(), or torch.cat with torch.zeros_like.",
)
def changes_inputs(changed: dict[str, bool]) -> bool:
    return any(changed.values())
