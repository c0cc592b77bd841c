"""The one exception of `fewshot.data`: a sentence for the person at the keyboard."""


class DataError(Exception):
    """Something about the data is not as it must be; the message names it and the way out."""
