"""The course library: data, learners and experiments for few-shot learning."""

import sys
from importlib.util import find_spec

if missing := [name for name in ("numpy", "PIL", "torch", "tqdm") if not find_spec(name)]:
    sys.exit(
        f"Not installed for this Python: {', '.join(missing)}. "
        "First `source .venv/bin/activate`; README.md says how to make it."
    )
