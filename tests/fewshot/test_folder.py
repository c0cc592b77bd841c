"""`fewshot.data.folder`: whole or not at all, wherever it is killed."""

import os
import resource
import signal
import sys
import threading

import numpy as np
import pytest
from PIL import Image

from fewshot.data import folder as folders
from fewshot.data.errors import DataError
from fewshot.data.folder import digest, is_complete, packed_path, packed_source, publish


def drawings(seed: int, characters: int = 3) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {
        f"Alphabet{character % 2}/character{character:02}/{character:04}_{drawer:02}.png": (
            rng.integers(0, 2, (28, 28), dtype=np.uint8) * 255
        )
        for character in range(1, characters + 1)
        for drawer in range(1, 3)
    }


def equal(left, right) -> bool:
    return left.keys() == right.keys() and all(np.array_equal(left[k], right[k]) for k in left)


def on_disk(folder) -> dict[str, np.ndarray]:
    return {
        file.relative_to(folder).as_posix(): 255 - np.asarray(Image.open(file).convert("L"))
        for file in folder.rglob("*.png")
    }


def twin(folder) -> dict[str, np.ndarray]:
    with np.load(packed_path(folder)) as packed:
        pixels = packed["images"].reshape(-1, 28, 28)
        return dict(zip(packed["paths"].tolist(), pixels, strict=True))


def assert_published(folder, images, source):
    assert equal(on_disk(folder), images)
    assert equal(twin(folder), images)
    assert packed_source(folder) == source
    assert is_complete(folder, source)
    assert {p.name for p in folder.parent.iterdir()} == {folder.name, packed_path(folder).name}


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "parent" / "made"


def test_folder_and_twin_hold_the_images(folder):
    publish(folder, drawings(0), "test 0")
    assert_published(folder, drawings(0), "test 0")
    assert {Image.open(file).mode for file in folder.rglob("*.png")} == {"1"}


def test_the_folder_is_as_readable_as_any_other(folder):
    publish(folder, drawings(0), "test 0")
    plain = folder.parent / "plain"
    plain.mkdir()
    assert folder.stat().st_mode == plain.stat().st_mode


def test_publishing_twice_keeps_the_files(folder):
    publish(folder, drawings(0), "test 0")
    before = {file: file.stat().st_ino for file in folder.rglob("*")}
    publish(folder, drawings(0), "test 0")
    assert {file: file.stat().st_ino for file in folder.rglob("*")} == before


def cut_short(file):
    file.write_bytes(file.read_bytes()[:60])


def emptied(file):
    file.write_bytes(b"")


def redrawn(file):
    Image.new("1", (28, 28)).save(file, compress_level=0)


def reshaped(file):  # the same bits in the same order: the digest alone cannot tell
    image = np.asarray(Image.open(file).convert("L")).reshape(14, 56)
    Image.fromarray(image).convert("1").save(file, compress_level=0)


def deleted(file):
    file.unlink()


@pytest.mark.parametrize("damage", [cut_short, emptied, redrawn, reshaped, deleted])
def test_a_damaged_folder_is_repaired(folder, damage):
    publish(folder, drawings(0), "test 0")
    damage(sorted(folder.rglob("*.png"))[2])
    if damage in (cut_short, emptied, deleted):
        assert not is_complete(folder, "test 0")
    publish(folder, drawings(0), "test 0")
    assert_published(folder, drawings(0), "test 0")


def test_a_folder_emptied_by_a_power_cut_is_not_complete(folder):
    publish(folder, drawings(0), "test 0")
    for file in folder.rglob("*.png"):
        emptied(file)
    assert not is_complete(folder, "test 0")


@pytest.mark.parametrize(
    "damage",
    [
        lambda packed: packed.unlink(),
        lambda packed: packed.write_bytes(packed.read_bytes()[:-30]),
        lambda packed: packed.write_bytes(b""),
        lambda packed: np.save(packed.open("wb"), np.zeros(3)),
        lambda packed: np.savez(packed, paths=np.array(0), images=np.array(0), source="test 0"),
        lambda packed: np.savez(packed, source="test 0"),
    ],
    ids=["missing", "cut short", "empty", "another array", "numbers", "without images"],
)
def test_a_damaged_twin_is_none_and_is_repaired(folder, damage):
    publish(folder, drawings(0), "test 0")
    damage(packed_path(folder))
    assert packed_source(folder) is None
    assert not is_complete(folder, "test 0")
    publish(folder, drawings(0), "test 0")
    assert_published(folder, drawings(0), "test 0")


def test_complete_asks_for_source_and_files(folder):
    publish(folder, drawings(0), "test 0")
    assert not is_complete(folder, "test 1")
    (folder / "Alphabet0/extra.png").write_bytes(b"")
    assert not is_complete(folder, "test 0")


def test_other_images_of_the_same_names_replace_folder_and_twin(folder):
    publish(folder, drawings(0), "test 0")
    publish(folder, drawings(1), "test 1")
    assert_published(folder, drawings(1), "test 1")


@pytest.mark.parametrize("name", ["notes.txt", "Alphabet0/character02/9999_01.png"])
def test_files_of_others_are_never_replaced(folder, name):
    publish(folder, drawings(0), "test 0")
    (folder / name).write_text("mine")
    with pytest.raises(DataError, match=rf"other files \({name}\): move it away"):
        publish(folder, drawings(1), "test 1")
    assert (folder / name).read_text() == "mine"
    (folder / name).unlink()
    assert_published(folder, drawings(0), "test 0")


def test_a_file_in_the_way_is_named(folder):
    folder.parent.mkdir()
    folder.write_text("mine")
    with pytest.raises(DataError, match="made is a file: remove it"):
        publish(folder, drawings(0), "test 0")
    assert folder.read_text() == "mine"


def test_a_parent_that_cannot_be_written_is_one_sentence(folder):
    folder.parent.write_text("a file, no folder")
    with pytest.raises(DataError, match=r"Cannot write .*made .*choose another --out"):
        publish(folder, drawings(0), "test 0")


def test_an_existing_folder_survives_a_disk_that_refuses(folder):
    old, new = drawings(0, characters=400), drawings(1, characters=400)
    publish(folder, old, "test 0")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limits[1]))  # PNGs fit, the twin does not
    try:
        with pytest.raises(DataError, match=r"Cannot write .*made \(File too large\): make room"):
            publish(folder, new, "test 1")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert_published(folder, old, "test 0")


def dies_at(step: int, act) -> bool:
    """Run `act` in a fork that is killed before its `step`th change of the disk."""
    child = os.fork()
    if child == 0:
        steps = 0

        def kill(event, details):
            nonlocal steps
            changes = event in ("os.mkdir", "os.rename", "os.remove", "os.rmdir")
            if changes or (event == "open" and details[1] in ("wb", "w+b", "w")):
                steps += 1
                if steps == step:
                    os.kill(os.getpid(), signal.SIGKILL)

        try:
            sys.addaudithook(kill)
            act()
        finally:
            os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


@pytest.mark.parametrize("before", ["nothing", "another set", "a damaged copy"])
def test_killed_anywhere_it_leaves_old_or_new_and_completes(tmp_path, before):
    old, new = drawings(1), drawings(0)
    step = 0
    killed = True
    while killed:
        step += 1
        folder = tmp_path / str(step) / "made"
        if before != "nothing":
            publish(folder, old, "old")
        if before == "a damaged copy":
            deleted(sorted(folder.rglob("*.png"))[0])
            old = on_disk(folder)
        killed = dies_at(step, lambda folder=folder: publish(folder, new, "new"))
        if folder.exists():
            assert equal(on_disk(folder), new) or equal(on_disk(folder), old)
        if before == "nothing" and folder.exists():
            assert equal(on_disk(folder), new)
        if packed_path(folder).exists() and before != "a damaged copy":
            assert equal(twin(folder), on_disk(folder))
        if is_complete(folder, "new"):
            assert equal(on_disk(folder), new)
        publish(folder, new, "new")
        assert_published(folder, new, "new")
        old = drawings(1)
    assert step > 15  # the hook saw the steps that matter


def test_two_runs_at_once_never_publish_half_a_folder(folder, monkeypatch):
    """The first run pauses amid its files until a second has finished; it must not carry on."""
    images, paused, resume, errors = drawings(0), threading.Event(), threading.Event(), []
    save = Image.Image.save

    def pausing(image, file, **options):
        save(image, file, **options)
        if threading.current_thread() is first and not paused.is_set():
            paused.set()
            resume.wait(10)

    def run():
        try:
            publish(folder, images, "test 0")
        except DataError as error:
            errors.append(str(error))

    monkeypatch.setattr(Image.Image, "save", pausing)
    first = threading.Thread(target=run)
    first.start()
    assert paused.wait(10)
    publish(folder, images, "test 0")
    resume.set()
    first.join(10)
    assert errors == [f"Another run is writing {folder}: let it finish, then run again."]
    assert_published(folder, images, "test 0")


def test_leftovers_of_other_folders_are_left_alone(folder):
    neighbour = folder.parent / ".made2-partial-x"
    neighbour.mkdir(parents=True)
    (folder.parent / ".made-partial-killed").mkdir()
    publish(folder, drawings(0), "test 0")
    assert neighbour.exists()
    assert not (folder.parent / ".made-partial-killed").exists()


def test_digest_is_of_paths_and_pixels():
    images = drawings(0)
    first, *rest = images
    assert digest(images) == digest(dict(reversed(images.items())))
    assert digest(images) != digest({path: images[path] for path in rest})
    assert digest(images) != digest({**images, first: 255 - images[first]})
    assert digest(images) != digest({path.replace("_01", "_03"): images[path] for path in images})


def test_a_broken_image_is_named(folder):
    publish(folder, drawings(0), "test 0")
    file = sorted(folder.rglob("*.png"))[1]
    cut_short(file)
    with pytest.raises(DataError, match=f"{file.name} is not a readable image: delete it"):
        folders.read_folder(folder)
