"""Every learner that `compare` knows, by name."""

from collections.abc import Callable

from fewshot.learners.learner import Learner
from fewshot.learners.metric.prototypical import Prototypical

# (num_classes N, num_shot K) → a new learner for such tasks.
LEARNERS: dict[str, Callable[[int, int], Learner]] = {
    "prototypical": Prototypical,
}
