"""Every learner that `compare` knows, by name."""

from collections.abc import Callable

from fewshot.learners.blackbox import cells_on_blocks
from fewshot.learners.blackbox.mann import MANN
from fewshot.learners.blackbox.snail import SNAIL
from fewshot.learners.learner import Learner
from fewshot.learners.metric.prototypical import Prototypical

# (num_classes N, num_shot K) → a new learner for such tasks.
LEARNERS: dict[str, Callable[[int, int], Learner]] = {
    "mann": MANN,
    "mann_lrua": cells_on_blocks.least_recently_used,
    "ntm": cells_on_blocks.neural_turing_machine,
    "prototypical": Prototypical,
    "queue_memory": cells_on_blocks.queue,
    "snail": SNAIL,
}
