"""Read runs from their TensorBoard event files, whoever wrote them, finished or not."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader
from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.hparams import metadata
from tensorboard.util.tensor_util import make_ndarray

from fewshot.analysis.settings import Setting

EVENTS = "events.out.tfevents.*"
RECORD_BYTES = 16  # a record's length and two checksums
REFERENCE = "reference"  # shipped runs, which are nobody's own


@dataclass
class Run:
    """What a folder's event files say.

    Attributes:
        folder: theirs.
        settings: what hw1.py logged of its options; empty for other programs.
        curves: of each tag, step → value.
        damaged: a line for each file that cannot be read to its end.
    """

    folder: Path
    settings: dict[str, float | str] = field(default_factory=dict)
    curves: dict[str, dict[int, float]] = field(default_factory=dict)
    damaged: list[str] = field(default_factory=list)

    @property
    def steps(self) -> int:
        """The last step with a point."""
        return max((step for curve in self.curves.values() for step in curve), default=0)

    @property
    def planned(self) -> int | None:
        """How many steps it was to have, if that is known."""
        return self.settings.get("train_steps")

    @property
    def finished(self) -> bool:
        """Whether it has been measured at its end, as hw1.py does."""
        return "Final/accuracy" in self.curves

    def is_of(self, setting: Setting, seed: int) -> bool:
        """Whether the run has a setting and a seed, by what it logged or else by its name."""
        if not self.settings:
            parent, name = self.folder.parts[-2:]
            known = Path(parent, name) if parent.startswith("learning_rate_") else Path(name)
            return known == setting.folder(seed)
        wanted = {**vars(setting), "random_seed": seed, "model": "MANN"}
        return all(self.settings.get(name, value) == value for name, value in wanted.items())


def read_runs(root: Path) -> list[Run]:
    """Every run below a folder, the newest first, but for the reference that is shipped in it."""
    files = [file for file in root.rglob(EVENTS) if file.relative_to(root).parts[0] != REFERENCE]
    newest = {}
    for file in files:
        newest[file.parent] = max(newest.get(file.parent, 0), file.stat().st_mtime)
    return [read_run(folder) for folder in sorted(newest, key=newest.get, reverse=True)]


def read_run(folder: Path) -> Run:
    """One run. A file's damage ends what is taken from it."""
    run = Run(folder)
    for file in sorted(folder.glob(EVENTS)):
        for event in read_events(file, run.damaged):
            if event.session_log.status == SessionLog.START:  # resumed: later points are old
                for curve in run.curves.values():
                    for step in [step for step in curve if step >= event.step]:
                        del curve[step]
            for value in event.summary.value:
                if value.metadata.plugin_data.plugin_name == metadata.PLUGIN_NAME:
                    run.settings |= read_settings(value)
                elif value.WhichOneof("value") == "simple_value":
                    run.curves.setdefault(value.tag, {})[event.step] = value.simple_value
                elif value.metadata.plugin_data.plugin_name == "scalars":
                    number = make_ndarray(value.tensor).item()
                    run.curves.setdefault(value.tag, {})[event.step] = number
    return run


def read_events(file: Path, damaged: list[str]) -> Iterator[Event]:
    """The events of a file up to its damage, if there is any."""
    read = 0
    try:
        for record in RawEventFileLoader(str(file)).Load():
            read += RECORD_BYTES + len(record)
            yield Event.FromString(record)
        if read == file.stat().st_size:
            return
    except OSError as error:
        damaged.append(f"{file} cannot be read ({error.strerror}).")
        return
    damaged.append(f"{file} is damaged after {read:,} bytes; what comes before is used.")


def read_settings(value: Summary.Value) -> dict[str, float | str]:
    """The options that hw1.py logged."""
    content = value.metadata.plugin_data.content
    if value.tag != metadata.SESSION_START_INFO_TAG:
        return {}
    logged = metadata.parse_session_start_info_plugin_data(content).hparams
    return {
        name: value.number_value if value.HasField("number_value") else value.string_value
        for name, value in logged.items()
    }


def choose(runs: list[Run], setting: Setting, seed: int, steps: int | None) -> Run | None:
    """The newest run of a setting and a seed that was to have so many steps; None takes any."""
    for run in runs:
        if run.is_of(setting, seed) and (steps is None or run.planned in (steps, None)):
            return run
    return None
