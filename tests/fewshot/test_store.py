"""The store reads a folder or its twin alike, and its splits are the published ones."""

import random
from collections import Counter

import numpy as np
import pytest
import torch
from PIL import Image

from fewshot.data.errors import DataError
from fewshot.data.folder import packed_path, publish
from fewshot.data.store import EVALUATION, PARTS, VINYALS_VALIDATION, Store

# Characters in each alphabet, in the order background, evaluation, each by name.
BACKGROUND_SIZES = {
    "Alphabet_of_the_Magi": 20,
    "Anglo-Saxon_Futhorc": 29,
    "Arcadian": 26,
    "Armenian": 41,
    "Asomtavruli_(Georgian)": 40,
    "Balinese": 24,
    "Bengali": 46,
    "Blackfoot_(Canadian_Aboriginal_Syllabics)": 14,
    "Braille": 26,
    "Burmese_(Myanmar)": 34,
    "Cyrillic": 33,
    "Early_Aramaic": 22,
    "Futurama": 26,
    "Grantha": 43,
    "Greek": 24,
    "Gujarati": 48,
    "Hebrew": 22,
    "Inuktitut_(Canadian_Aboriginal_Syllabics)": 16,
    "Japanese_(hiragana)": 52,
    "Japanese_(katakana)": 47,
    "Korean": 40,
    "Latin": 26,
    "Malay_(Jawi_-_Arabic)": 40,
    "Mkhedruli_(Georgian)": 41,
    "N_Ko": 33,
    "Ojibwe_(Canadian_Aboriginal_Syllabics)": 14,
    "Sanskrit": 42,
    "Syriac_(Estrangelo)": 23,
    "Tagalog": 17,
    "Tifinagh": 55,
}
EVALUATION_SIZES = {
    "Angelic": 20,
    "Atemayar_Qelisayer": 26,
    "Atlantean": 26,
    "Aurek-Besh": 26,
    "Avesta": 26,
    "Ge_ez": 26,
    "Glagolitic": 45,
    "Gurmukhi": 45,
    "Kannada": 41,
    "Keble": 26,
    "Malayalam": 47,
    "Manipuri": 40,
    "Mongolian": 30,
    "Old_Church_Slavonic_(Cyrillic)": 45,
    "Oriya": 46,
    "Sylheti": 28,
    "Syriac_(Serto)": 23,
    "Tengwar": 25,
    "Tibetan": 42,
    "ULOG": 26,
}
SIZES = BACKGROUND_SIZES | EVALUATION_SIZES


def named_store(names):
    """A store of these characters without a pixel."""
    return Store(torch.zeros(len(names), 20, 0, dtype=torch.uint8), sorted(names))


OMNIGLOT = named_store(
    [f"{alphabet}/character{i:02d}" for alphabet in SIZES for i in range(1, SIZES[alphabet] + 1)]
)


def names(store, split, part):
    return [store.characters[i] for i in store.split(split, part).tolist()]


def alphabets(characters):
    return Counter(character.partition("/")[0] for character in characters)


def small_images(characters=("A/character01", "A-b/character01", "A/character02"), count=3):
    """Relative path → image; every image differs from every other."""
    rng = np.random.default_rng(0)
    return {
        f"{character}/{i:04d}_{k:02d}.png": (rng.integers(0, 2, (28, 28)) * 255).astype(np.uint8)
        for i, character in enumerate(characters)
        for k in range(count)
    }


@pytest.fixture
def folder(tmp_path):
    """A published folder of three characters with three images each."""
    publish(tmp_path / "images", small_images(), "a test")
    return tmp_path / "images"


def assert_holds(store, images):
    assert store.images.dtype == torch.uint8
    assert store.characters == sorted({path.rpartition("/")[0] for path in images})
    for character, rows in zip(store.characters, store.images, strict=True):
        paths = sorted(path for path in images if path.rpartition("/")[0] == character)
        assert [row.tolist() for row in rows] == [images[p].reshape(-1).tolist() for p in paths]


def test_twin_and_folder_give_the_same_store(folder):
    from_twin = Store.load(folder)
    packed_path(folder).unlink()
    from_pngs = Store.load(str(folder))
    assert_holds(from_twin, small_images())
    assert_holds(from_pngs, small_images())


def test_the_twin_is_read_instead_of_the_pngs(folder):
    for file in folder.rglob("*.png"):
        file.write_bytes(b"")
    assert_holds(Store.load(folder), small_images())


def test_a_twin_of_other_files_is_passed_over(folder):
    added = small_images(("A/character01", "A-b/character01", "A/character02", "C/character01"))
    for path, image in added.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(255 - image).save(folder / path)
    assert_holds(Store.load(folder), added)


@pytest.mark.parametrize("keep", [0, 100, -100])
def test_a_damaged_twin_is_passed_over(folder, keep):
    packed = packed_path(folder)
    packed.write_bytes(packed.read_bytes()[:keep])
    assert_holds(Store.load(folder), small_images())


def test_a_twin_with_a_flipped_byte_is_passed_over(folder):
    packed = packed_path(folder)
    content = bytearray(packed.read_bytes())
    for i in range(200, len(content) - 600, 50):
        content[i] ^= 0xFF
    packed.write_bytes(content)
    assert_holds(Store.load(folder), small_images())


def test_a_missing_folder_is_named_with_the_command_that_makes_it(tmp_path):
    with pytest.raises(DataError, match=r"no folder .*nowhere.*python -m fewshot\.data omniglot"):
        Store.load(tmp_path / "nowhere")


def test_a_folder_without_images_is_refused(tmp_path):
    (tmp_path / "A" / "character01").mkdir(parents=True)
    with pytest.raises(DataError, match=r"holds no ALPHABET/character/\*\.png"):
        Store.load(tmp_path)


def test_images_at_another_depth_are_not_taken_for_a_dataset(folder):
    with pytest.raises(DataError, match="holds no ALPHABET"):
        Store.load(folder / "A")


def test_uneven_characters_are_refused(folder):
    next((folder / "A" / "character02").iterdir()).unlink()
    with pytest.raises(DataError, match="character02 holds 2 images where others hold 3"):
        Store.load(folder)


def test_an_empty_character_is_uneven(folder):
    (folder / "A" / "character00").mkdir()
    with pytest.raises(DataError, match="character00 holds 0 images where others hold 3"):
        Store.load(folder)


@pytest.mark.parametrize("side", [105, 14])
@pytest.mark.parametrize("twin", [True, False])
def test_images_of_another_size_are_refused(tmp_path, side, twin):
    images = {path: np.zeros((side, side), np.uint8) for path in small_images()}
    publish(tmp_path / "images", images, "a test")
    if not twin:
        packed_path(tmp_path / "images").unlink()
    with pytest.raises(DataError, match=f"has {side * side} pixels and not 28x28"):
        Store.load(tmp_path / "images")


def test_cs330_is_the_homeworks_split():
    folders = sorted(OMNIGLOT.characters)
    random.Random(1).shuffle(folders)
    assert names(OMNIGLOT, "cs330", "train") == folders[:1100]
    assert names(OMNIGLOT, "cs330", "val") == folders[1100:1200]
    assert names(OMNIGLOT, "cs330", "test") == folders[1200:]


@pytest.mark.parametrize("split", PARTS)
def test_a_splits_parts_cover_the_characters_without_overlap(split):
    parts = [OMNIGLOT.split(split, part) for part in PARTS[split]]
    assert all(part.dtype == torch.int64 for part in parts)
    assert torch.equal(torch.cat(parts).sort().values, torch.arange(1623))


def test_lake_is_the_published_background_and_evaluation():
    assert set(EVALUATION_SIZES) == EVALUATION
    assert alphabets(names(OMNIGLOT, "lake", "train")) == BACKGROUND_SIZES
    assert alphabets(names(OMNIGLOT, "lake", "test")) == EVALUATION_SIZES


def test_vinyals_has_the_published_counts():
    train, val, test = (names(OMNIGLOT, "vinyals", part) for part in ("train", "val", "test"))
    assert [len(part) for part in (train, val, test)] == [1028, 172, 423]
    train, val, test = map(alphabets, (train, val, test))
    assert [len(part) for part in (train, val, test)] == [33, 5, 13]
    assert set(val) == VINYALS_VALIDATION
    assert set(train) & set(test) == {"Gurmukhi"}
    assert not set(val) & (set(train) | set(test))
    assert (train["Gurmukhi"], test["Gurmukhi"]) == (41, 4)


def test_vinyals_tests_on_the_last_423_characters():
    in_order = [f"{a}/character{i:02d}" for a in SIZES for i in range(1, SIZES[a] + 1)]
    assert sorted(names(OMNIGLOT, "vinyals", "test")) == sorted(in_order[1200:])


def test_generated_folders_are_cut_at_the_same_sizes_in_the_order_of_names():
    glyphs = named_store([f"alphabet{i % 50:02d}/character{i:04d}" for i in range(1623)])
    assert glyphs.split("lake", "train").tolist() == list(range(964))
    assert glyphs.split("lake", "test").tolist() == list(range(964, 1623))
    assert glyphs.split("vinyals", "val").tolist() == list(range(172))
    assert glyphs.split("vinyals", "train").tolist() == list(range(172, 1200))
    assert glyphs.split("vinyals", "test").tolist() == list(range(1200, 1623))


def test_small_folders_have_the_homeworks_split_only():
    store = named_store([f"A/character{i:04d}" for i in range(1150)])
    assert len(store.split("cs330", "train")) == 1100
    assert len(store.split("cs330", "val")) == 50
    with pytest.raises(DataError, match="1150 characters leave none for cs330 test"):
        store.split("cs330", "test")
    with pytest.raises(DataError, match="lake is of 1623 characters and the folder has 1150"):
        store.split("lake", "train")


@pytest.mark.parametrize(("split", "part"), [("cs231n", "train"), ("lake", "val"), ("cs330", "")])
def test_unknown_splits_are_refused_with_those_there_are(split, part):
    with pytest.raises(DataError, match="lake train/test"):
        OMNIGLOT.split(split, part)


def test_splitting_leaves_global_random_state_alone():
    before = random.getstate()
    OMNIGLOT.split("cs330", "train")
    assert random.getstate() == before


def test_omniglot_has_its_shape_and_names(omniglot_folder):
    store = Store.load(omniglot_folder)
    assert store.images.shape == (1623, 20, 784)
    assert store.images.unique().tolist() == [0, 255]
    assert store.characters == OMNIGLOT.characters
