"""The page of a record, in a real browser."""

import re
from pathlib import Path

import numpy as np
import pytest

from autograder.record import Check, Curve, Mistake, Record, Result, Task, start_record
from autograder.report import page

SHAPES = Check("sampler/shapes", "sampler", "1.1", "The shapes", 5.0, public=True)
MATCH = Check("sampler/match", "sampler", "1.2", "The labels match", 2.5, public=False)
VALUE = Check("loss/value", "loss", "3.2", "The value", 7.0, public=False)
EASY = Check("accuracy/easy", "accuracy", "4.1", "The accuracy passes .90", 5.0, public=False)
FILES = Check("submission/files", "submission", "0.1", "The files", 0.0, public=True)
ALL_ROWS = Mistake("all_rows", "The loss is over all K+1 rows.", "Look at preds[:, -1].")

HOSTILE = (
    '<script>console.log("ran")</script><img src="http://a.example/x.png" onerror="console.log(1)">'
    "\"><svg onload='console.log(2)'> {{ 7 * 7 }} {% raw %} &lt;b&gt; </style></title></main>"
)
BEWARE = "\x1b[31m \x00 \x08 \u202e \ud800 \u2028"
SIZES = [(390, 844), (1280, 900)]


def a_task(shot=2, way=5, marked=((2, 1),), label=None, caption="A task."):
    """Diagonals, one pixel further to the right in every image."""
    images = [[np.eye(28, k=n - way // 2).ravel() for n in range(way)] for _ in range(shot + 1)]
    labels = [[label or str(n) for n in range(way)] for _ in range(shot + 1)]
    return Task(np.array(images), labels, list(marked), caption)


def a_curve(**changes):
    curve = {
        "steps": [100, 200, 300],
        "accuracies": [0.71, 0.85, 0.93],
        "interval": 0.012,
        "threshold": 0.9,
        "losses": [1 / (1 + step) for step in range(300)],
    }
    return Curve(**curve | changes)


@pytest.fixture
def show(open_page):
    """A function that opens the page of a record."""
    return lambda record, *size, **settings: open_page(page(record), *size, **settings)


def full_record():
    return Record(
        [
            Result(FILES, "passed", ""),
            Result(SHAPES, "waiting", "waiting for 0.1"),
            Result(MATCH, "failed", "Image [2, 1] has another label.", seconds=0.41, task=a_task()),
            Result(VALUE, "failed", "Expected 0.5, got 0.7.", ALL_ROWS),
            Result(EASY, "passed", "0.930 on 2,000 tasks.", seconds=14.2, curve=a_curve()),
        ],
        notes=["“hw1 (1).py” was taken for hw1.py."],
        protections=["bubblewrap", "no network"],
        facts={"seed": 7, "versions": {"torch": "2.13.0", "numpy": "2.4.6"}, "command": "grade x"},
        seconds=63.21,
    )


def test_the_page_says_what_the_record_says(show):
    tab = show(full_record())
    assert tab.title() == "5 / 19.5 – few-shot homework"
    assert tab.locator("html").get_attribute("lang") == "en"
    assert tab.locator(".score").inner_text() == "5 / 19.5 points"
    assert tab.locator(".notes li").all_inner_texts() == ["“hw1 (1).py” was taken for hw1.py."]
    assert tab.locator("main > section:not(.start, .notes) > h2").all_inner_texts() == [
        "The files\n0 / 0",
        "Problem 1: DataGenerator._sample\n0 / 7.5",
        "Problem 2b: MANN.loss_function\n0 / 7",
        "All three together\n5 / 5",
    ]
    assert [" ".join(text.split()) for text in tab.locator("h3").all_inner_texts()] == [
        "✓ 0.1 The files passed 0 / 0",
        "… 1.1 The shapes waiting 0 / 5",
        "✗ 1.2 The labels match failed, 0.4 s 0 / 2.5",
        "✗ 3.2 The value failed 0 / 7",
        "✓ 4.1 The accuracy passes .90 passed, 14.2 s 5 / 5",
    ]
    value = tab.locator("article", has_text="The value")
    for text in ("Expected 0.5, got 0.7.", ALL_ROWS.why, ALL_ROWS.look):
        assert text in value.inner_text()
    assert "0.930 on 2,000 tasks." in tab.locator("main").inner_text()
    terms = tab.locator("dt").all_inner_texts()
    facts = dict(zip(terms, tab.locator("dd").all_inner_texts(), strict=True))
    assert facts == {
        "protections": "bubblewrap, no network",
        "seed": "7",
        "versions": "torch 2.13.0, numpy 2.4.6",
        "command": "grade x",
        "time": "63.2 s",
    }
    assert "Hidden checks" not in tab.content()


def test_it_starts_with_the_first_failure_that_waits_for_nothing(show):
    record = full_record()
    start = show(record).locator(".start")
    assert start.inner_text().startswith("Start here: 1.2 The labels match")
    assert "Image [2, 1] has another label." in start.inner_text()
    record.put(Result(MATCH, "passed", ""))
    tab = show(record)
    assert tab.locator(".start").inner_text().startswith("Start here: 3.2 The value")
    assert ALL_ROWS.look in tab.locator(".start").inner_text()
    tab.locator(".start a").click()
    assert tab.evaluate("document.querySelector(':target').innerText").startswith("✗\n3.2")


def test_nothing_to_start_with_when_everything_passed(show):
    record = full_record()
    for result in list(record.results):
        record.put(Result(result.check, "passed", ""))
    tab = show(record)
    assert tab.locator(".start").count() == 0
    assert tab.locator(".score").inner_text() == "19.5 / 19.5 points"


def test_a_students_run_says_what_was_not_graded(show):
    tab = show(start_record(public_only=True))
    last = "Public checks 0/30. Hidden checks (70 points) are not graded here."
    assert last in tab.locator("header").inner_text()
    assert "Start here: 0.1" in tab.locator(".start").inner_text()


def test_the_task_is_a_grid_of_pictures_with_labels_and_marks(show):
    tab = show(full_record())
    rows = tab.locator("figure .row")
    assert rows.locator("p").all_inner_texts() == ["Shot 1", "Shot 2", "Query"]
    assert tab.locator(".row.query").count() == 1
    assert tab.locator(".row.query p").inner_text() == "Query"
    assert (
        tab.locator(".row.query").evaluate("row => getComputedStyle(row).borderTopStyle") != "none"
    )
    cells = rows.nth(2).locator(".cell")
    assert cells.all_inner_texts() == ["0", "✗ 1", "2", "3", "4"]
    assert tab.locator(".marked").count() == 1
    assert "✗ marks what is wrong" in tab.locator("figcaption").first.inner_text()
    assert cells.nth(1).locator("img").get_attribute("alt") == "Query, image 2, label 1, wrong"
    assert cells.nth(2).locator("img").get_attribute("alt") == "Query, image 3, label 2"
    image = cells.nth(2).locator("img")
    assert image.evaluate("image => getComputedStyle(image).imageRendering") == "pixelated"
    pixels = image.evaluate("""image => {
        const canvas = document.createElement("canvas");
        canvas.width = image.naturalWidth, canvas.height = image.naturalHeight;
        const context = canvas.getContext("2d");
        context.drawImage(image, 0, 0);
        return [...context.getImageData(0, 0, 28, 28).data].filter((_, index) => index % 4 == 0);
    }""")
    assert np.array_equal(np.reshape(pixels, (28, 28)), 255 * (1 - np.eye(28)))


def test_pixels_that_are_no_ink_are_drawn_all_the_same(show):
    task = a_task(1, 2, [])
    task.images[0, 0, :] = np.nan
    task.images[0, 1, :] = 255.0
    task.images[1, 0, :] = -np.inf
    tab = show(Record([Result(MATCH, "failed", "No.", task=task)]))
    assert tab.evaluate("[...document.images].every(image => image.naturalWidth == 28)")
    assert "✗ marks" not in tab.locator("figcaption").inner_text()


def test_the_curve_shows_accuracy_threshold_interval_and_loss(show):
    tab = show(full_record())
    curve = tab.locator("figure.curve")
    said = "Accuracy 0.930 ± 0.012 after 300 steps; the threshold is 0.90."
    assert said in curve.inner_text()
    assert curve.get_by_role("img").get_attribute("aria-label") == said
    boxes = {
        name: curve.locator(f"svg .{name}").first.bounding_box()
        for name in ("accuracy", "threshold", "interval", "loss")
    }
    ends = [tuple(map(float, point.split(","))) for point in points(curve, "accuracy")]
    assert [x for x, _ in ends] == sorted(x for x, _ in ends)
    assert len(ends) == 3
    threshold = float(curve.locator("line.threshold").get_attribute("y1"))
    assert ends[-1][1] < threshold < ends[1][1], "up is better, and only the end is above"
    interval = boxes["interval"]
    accuracy = boxes["accuracy"]
    assert interval["y"] < accuracy["y"] + 1
    assert interval["y"] + interval["height"] > accuracy["y"] + 1
    assert boxes["loss"]["y"] > accuracy["y"] + accuracy["height"]
    assert boxes["loss"]["width"] > accuracy["width"], "the loss starts at the first step"


def points(curve, name):
    return curve.locator(f"polyline.{name}").get_attribute("points").split()


ODD_CURVES = [
    {"steps": [], "accuracies": []},
    {"steps": [], "accuracies": [], "losses": []},
    {"losses": []},
    {"losses": [float("nan")] * 300},
    {"losses": [-5.0, 1.0]},
    {"interval": 0.5},
    {"losses": [float("inf"), 1.2e300, float("nan"), -1.0]},
    {"steps": [0], "accuracies": [0.0], "losses": []},
    {"steps": [4000, 4300], "accuracies": [1.0, 1.0], "interval": 0.0},
]


def test_curves_of_nothing_and_of_nonsense_stay_inside_their_frames(show):
    tab = show(Record([Result(EASY, "failed", "No.", curve=a_curve(**odd)) for odd in ODD_CURVES]))
    curves = tab.locator("figure.curve svg").all()
    assert len(curves) == len(ODD_CURVES)
    for curve in curves:
        assert not re.search("nan|inf", curve.inner_html())
        assert curve.evaluate("""svg => {
            const frame = svg.getBoundingClientRect();
            return [...svg.children].map(shape => shape.getBoundingClientRect()).every(box =>
                !box.width || box.left >= frame.left - 1 && box.right <= frame.right + 1
                    && box.top >= frame.top - 1 && box.bottom <= frame.bottom + 1);
        }""")


def test_a_resumed_training_is_drawn_from_where_it_was_resumed(show):
    curve = a_curve(steps=[4000, 4300], accuracies=[0.8, 0.9])
    labels = show(Record([Result(EASY, "passed", "", curve=curve)])).locator("svg text")
    assert labels.all_text_contents()[-2:] == ["4,000", "4,300 steps"]


def hostile_record(text):
    mistake = Mistake("m", text, text)
    return Record(
        [
            Result(SHAPES, "failed", text, mistake, task=a_task(1, 2, label=text, caption=text)),
            Result(EASY, "not graded", text),
        ],
        notes=[text],
        protections=[text],
        facts={text: text, "versions": {text: text}, "command": text},
    )


@pytest.mark.parametrize("size", SIZES)
def test_what_a_student_wrote_is_shown_and_inert(show, size):
    tab = show(hostile_record(HOSTILE), size)
    text = " ".join(tab.locator("body").inner_text().split())
    shown = " ".join(HOSTILE.split())
    assert text.count(shown) == 18, "4 of them labels, 4 the help, 5 facts"
    assert tab.locator("script, main img:not([src^='data:']), main svg").count() == 0
    assert tab.locator("img").first.get_attribute("alt") == f"Shot 1, image 1, label {HOSTILE}"


def test_control_characters_do_not_reach_the_page(show):
    record = hostile_record(BEWARE)
    record.facts["data"] = Path(f"folder {BEWARE}")
    html = page(record)
    assert all(sign.isprintable() or sign == "\n" for sign in html)
    assert "�[31m" in show(record).locator("body").inner_text()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("media", ["screen", "print"])
def test_nothing_is_wider_than_the_window(show, size, media):
    long = 300 * "long" + " " + HOSTILE
    record = hostile_record(long)
    record.results += full_record().results
    record.put(Result(MATCH, "failed", long, task=a_task(3, 20, [(0, 0)])))
    tab = show(record, size)
    tab.emulate_media(media=media)
    assert tab.evaluate("document.documentElement.scrollWidth") <= size[0]
    assert (
        tab.evaluate(
            "[...document.body.querySelectorAll('*')].filter(part =>"
            "    part.getBoundingClientRect().right > innerWidth).map(part => part.outerHTML)"
        )
        == []
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_has_the_contrast_that_wcag_asks_for(show, scheme):
    tab = show(full_record(), color_scheme=scheme)
    ratios = tab.evaluate(CONTRASTS)
    assert len(ratios) > 40
    assert [ratio for ratio in ratios if ratio[0] < 4.5] == []


CONTRASTS = """() => {
    const light = colour => {
        const [r, g, b] = colour.match(/[0-9.]+/g).slice(0, 3).map(part => part / 255)
            .map(part => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const paper = element => {
        const colour = getComputedStyle(element).backgroundColor;
        return colour == "rgba(0, 0, 0, 0)" ? paper(element.parentElement) : colour;
    };
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const ratios = [];
    while (texts.nextNode()) {
        const element = texts.currentNode.parentElement, text = texts.currentNode.data.trim();
        if (!text) continue;
        const style = getComputedStyle(element);
        const ink = element.closest("svg") ? style.fill : style.color;
        const pair = [light(ink), light(paper(element))].sort((a, b) => b - a);
        ratios.push([(pair[0] + 0.05) / (pair[1] + 0.05), text]);
    }
    return ratios;
}"""
