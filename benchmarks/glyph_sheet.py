"""A contact sheet: invented alphabets, beside real ones where Omniglot is at hand.

    python -m benchmarks.glyph_sheet [--folder omniglot_resized] [--seed 0] [--out docs/glyphs.png]

Every row of a block is another drawer's copy of the same letters.
"""

import argparse
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from fewshot.data.folder import read_folder
from fewshot.data.glyphs import generate, source

ALPHABETS = 6
LETTERS = 10
DRAWERS = (1, 8, 14)
ZOOM = 3
CELL = 32 * ZOOM  # an image and its margin
LABEL = 22  # height of a line of text
GAP = 14  # between blocks

Images = Mapping[str, np.ndarray]


def contact_sheet(images: Images, title: str) -> Image.Image:
    """Some letters of some alphabets by some drawers.

    Args:
        images: "ALPHABET/characterNN/XXXX_YY.png" → uint8 [28, 28], ink 255.
        title: a line above all.
    """
    letters: dict[str, dict[str, list[str]]] = {}
    for path in sorted(images):
        alphabet, character, _ = path.split("/")
        letters.setdefault(alphabet, {}).setdefault(character, []).append(path)
    names = [list(letters)[k] for k in _spread(len(letters), ALPHABETS)]
    block = LABEL + len(DRAWERS) * CELL + GAP
    sheet = Image.new("L", (LETTERS * CELL + 2 * GAP, 2 * LABEL + len(names) * block), 255)
    pen = ImageDraw.Draw(sheet)
    pen.text((GAP, 4), title, fill=0, font_size=18)
    for row, name in enumerate(names):
        top = 2 * LABEL + row * block
        pen.line((GAP, top - 4, sheet.width - GAP, top - 4), fill=190)
        pen.text((GAP, top), name.replace("_", " "), fill=90, font_size=14)
        characters = list(letters[name].values())
        for column, k in enumerate(_spread(len(characters), LETTERS)):
            for line, drawer in enumerate(DRAWERS):
                image = Image.fromarray(255 - images[characters[k][drawer - 1]])
                at = (GAP + column * CELL + 2 * ZOOM, top + LABEL + line * CELL)
                sheet.paste(image.resize((28 * ZOOM, 28 * ZOOM), Image.Resampling.NEAREST), at)
    return sheet


def _spread(count: int, wanted: int) -> list[int]:
    """At most `wanted` indices, evenly over `count`."""
    return [k * count // min(wanted, count) for k in range(min(wanted, count))]


def main() -> None:
    """Draw the sheet and write it."""
    parser = argparse.ArgumentParser(description="Draw a contact sheet of invented letters.")
    parser.add_argument("--folder", type=Path, default=Path("omniglot_resized"), help="real ones")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("docs/glyphs.png"))
    arguments = parser.parse_args()
    halves = []
    if arguments.folder.is_dir():
        halves.append(contact_sheet(read_folder(arguments.folder), "Omniglot"))
    halves.append(contact_sheet(generate(arguments.seed), source(arguments.seed)))
    size = (sum(half.width for half in halves), max(half.height for half in halves))
    sheet = Image.new("L", size, 255)
    left = 0
    for half in halves:
        sheet.paste(half, (left, 0))
        left += half.width
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    sheet.convert("1", dither=Image.Dither.NONE).save(arguments.out, optimize=True)
    print(f"{arguments.out}: {sheet.width} x {sheet.height}")


if __name__ == "__main__":
    main()
