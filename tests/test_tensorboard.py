"""What a person sees of two runs in TensorBoard, in a real browser."""

import contextlib
import io
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

ROOT = Path(__file__).parent.parent
REFERENCE = "reference/3_1_123_128"
RUNS = ["3_1_123_128", REFERENCE]
TAGS = ["Accuracy/test", "Final/accuracy", "Final/interval", "Loss/test", "Loss/train"]
PATIENCE = 60  # seconds, for a busy machine

# What lies under the charts, in one look at the page: [tag, names of columns, rows].
READ_CHARTS = """cards => {
  const texts = (part, name) => [...part.querySelectorAll(name)].map(cell => cell.innerText.trim());
  return cards.map(card => [
    card.querySelector(".tag").title,
    texts(card, "tb-data-table-header-cell"),
    [...card.querySelectorAll("tb-data-table-content-row")].map(
      row => texts(row, "tb-data-table-content-cell")),
  ]);
}"""
# The cells of a table that is laid out by nothing but their places.
READ_CELLS = """cells => cells.map(cell => {
  const { x, y } = cell.getBoundingClientRect();
  return [x, y, cell.classList.contains("table-header"), cell.innerText.trim()];
})"""
READ_PICTURES = """cards => cards.map(card => [
  card.querySelector(".run").innerText.trim(), card.querySelector("img")?.naturalWidth ?? 0
])"""


@pytest.fixture(scope="module")
def runs(data_folder, tmp_path_factory):
    """A folder of runs: a student's, cut short, beside the reference that the kit ships."""
    shipped = ROOT / "runs" / REFERENCE
    assert shipped.is_dir(), f"the kit ships runs/{REFERENCE}, but it is not there"
    folder = tmp_path_factory.mktemp("tensorboard") / "runs"
    command = [sys.executable, "solutions/hw1.py", "--num_classes", "3", "--num_shot", "1"]
    command += ["--train_steps", "60", "--eval_freq", "10"]
    command += ["--data_folder", str(data_folder), "--runs", str(folder)]
    trained = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=180)
    assert trained.returncode == 0, trained.stderr
    shutil.copytree(shipped, folder / REFERENCE)
    return folder


@pytest.fixture(scope="module")
def tensorboard(runs):
    """The address of a TensorBoard that shows the runs."""
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", str(runs)]
    command += ["--host", "127.0.0.1", "--port", "0"]
    said = runs.parent / "tensorboard.txt"
    with said.open("w") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        yield find_address(process, said)
    finally:
        process.terminate()  # it takes its temporary files along
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=20)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # the process that reads files for it
        process.wait()


def find_address(process, said):
    """Where TensorBoard says that it is, once it has said so."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and process.poll() is None:
        if found := re.search(r"TensorBoard \S+ at (http://127\.0\.0\.1:\d+/)", said.read_text()):
            return found[1]
        time.sleep(0.1)
    raise AssertionError(f"TensorBoard does not start: {said.read_text()}")


@pytest.fixture
def tab(browser, tensorboard):
    """TensorBoard, as it opens when it has read the runs. Afterwards, no other machine was asked.

    Nothing is to be blocked for that: TensorBoard 2.21 brings its fonts along.
    """
    hosts = set()
    # High enough for all charts: those far below the edge are not drawn.
    with contextlib.closing(browser.new_page(viewport={"width": 1600, "height": 2400})) as tab:
        tab.set_default_timeout(PATIENCE * 1000)
        tab.on("request", lambda request: hosts.add(urlsplit(request.url).hostname))
        # It answers before it has read a file, and a page that is opened then stays empty.
        read = f"{tensorboard}data/runs"
        wait(tab, "runs", lambda tab: sorted(tab.request.get(read).json()), RUNS)
        tab.goto(tensorboard)
        yield tab
    assert hosts <= {"127.0.0.1", None}  # None: what the page has made itself


def wait(tab, what, look, wanted):
    """Look until one sees what is wanted."""
    end = time.monotonic() + PATIENCE
    while (seen := look(tab)) != wanted and time.monotonic() < end:
        tab.wait_for_timeout(200)
    assert seen == wanted, f"{what}: TensorBoard shows {seen}, not {wanted}"


def open_groups(tab):
    """Unfold all groups of cards; TensorBoard begins with the first two unfolded."""
    tab.locator("card-view").first.wait_for()
    folded = tab.locator(".group-toolbar").filter(has=tab.locator("[svgicon^=expand_more]"))
    for toolbar in folded.element_handles():  # a locator would look for the folded ones again
        toolbar.click()


def find_runs(tab):
    """The rows of the list of runs."""
    return tab.locator("runs-data-table tb-data-table-content-row")


def list_runs(tab):
    """The names in the list of runs."""
    return sorted(name.strip() for name in find_runs(tab).all_inner_texts())


def read_charts(tab):
    """The rows under the charts: {(tag, run): {column: text}}."""
    return {
        (tag, row[names.index("Run")]): dict(zip(names, row, strict=True))
        for tag, names, rows in tab.locator("scalar-card").evaluate_all(READ_CHARTS)
        for row in rows
    }


def list_charts(tab):
    """The tags that have a chart, and the runs in it."""
    return sorted(read_charts(tab))


def read_settings(tab):
    """The table of HParams: {run: {column: text}}."""
    cells = tab.locator("tf-hparams-table-view .table-cell:visible").evaluate_all(READ_CELLS)
    names = {x: text for x, _, is_header, text in cells if is_header}
    rows = {}
    for x, y, is_header, text in cells:
        if text and not is_header:
            rows.setdefault(y, {})[names.get(x)] = text
    return {row.get("Trial ID", "?"): row for row in rows.values()}


def take_pixels(part):
    """What a part of the page looks like: [height, width, 3]."""
    picture = Image.open(io.BytesIO(part.screenshot()))
    return np.asarray(picture.convert("RGB")).astype(int)


def measure_line(tab, tag):
    """How much of the width of a chart has the colour of its only run in it, from 0 to 1."""
    card = tab.locator("scalar-card").filter(has=tab.get_by_title(tag, exact=True))
    style = card.locator(".row-circle span").get_attribute("style")
    colour = [int(part) for part in re.search(r"rgb\((\d+), (\d+), (\d+)\)", style).groups()]
    alike = abs(take_pixels(card.locator(".series-view")) - colour).max(axis=-1) < 16
    return alike.any(axis=0).mean()


def list_lines(tab):
    """The tags whose line one can see; those at the end of a run are a single point.

    A line goes from one side to the other, but TensorBoard cuts off what is very high or low.
    """
    return [tag for tag in TAGS if measure_line(tab, tag) > (0 if "Final" in tag else 0.5)]


def list_pictures(tab):
    """The runs whose picture has come."""
    pictures = tab.locator("image-card").evaluate_all(READ_PICTURES)
    return sorted(run for run, width in pictures if width > 100)


def list_settings(tab):
    """The runs in the table of HParams."""
    return sorted(read_settings(tab))


def test_charts_show_the_last_value_of_every_run(tab, runs):
    wait(tab, "list of runs", list_runs, RUNS)
    open_groups(tab)
    charts = [(tag, run) for tag in TAGS for run in RUNS]
    wait(tab, "charts", list_charts, charts)
    shown, last = read_charts(tab), {}
    for run in RUNS:
        logged = EventAccumulator(str(runs / run), {"scalars": 0}).Reload()
        last |= {(tag, run): logged.Scalars(tag)[-1] for tag in TAGS}
    steps = {chart: int(row["Step"].replace(",", "")) for chart, row in shown.items()}
    assert steps == {chart: point.step for chart, point in last.items()}
    values = {chart: float(row["Value"]) for chart, row in shown.items()}
    assert values == pytest.approx({chart: point.value for chart, point in last.items()}, abs=1e-4)


@pytest.mark.parametrize("run", RUNS)
def test_charts_draw_a_run(tab, run):
    open_groups(tab)
    for other in RUNS:
        row = find_runs(tab).filter(has_text=re.compile(rf"^\s*{other}\s*$"))
        row.get_by_role("checkbox").set_checked(other == run)
    wait(tab, "charts", list_charts, [(tag, run) for tag in TAGS])
    wait(tab, "lines", list_lines, TAGS)


def test_a_picture_shows_a_task_of_every_run(tab):
    open_groups(tab)
    wait(tab, "pictures", list_pictures, RUNS)
    for picture in tab.locator("image-card img").all():
        ink = (take_pixels(picture).max(axis=-1) < 64).mean()
        assert ink > 0.01, "a picture is empty"


def test_hparams_show_the_settings_and_the_accuracy_of_every_run(tab, runs):
    tab.get_by_role("tab", name="HParams").click()
    wait(tab, "HParams", list_settings, RUNS)
    for run, row in read_settings(tab).items():
        logged = EventAccumulator(str(runs / run), {"scalars": 0}).Reload()
        wanted = {"learning_rate": 1e-3, "hidden_dim": 128, "num_classes": 3}
        wanted["Accuracy/test"] = logged.Scalars("Accuracy/test")[-1].value
        shown = {name: float(row.get(name, "nan")) for name in wanted}
        assert shown == pytest.approx(wanted, abs=1e-5), run
