"""Grade a whole class: who handed in what, a journal, workers, and pages about all of them."""
