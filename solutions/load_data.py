"""Homework 1, Problem 1: draw few-shot classification tasks from Omniglot.

Omniglot has 1,623 handwritten characters, each drawn by 20 people (Lake et al., 2015). A task
(Santoro et al., 2016) takes N of the characters and K+1 images of each: K to learn from, the
support set, and one to be tested on, the query set.

You fill in one function: `DataGenerator._sample`. Everything else is given.
"""

import functools
import os
import random

import imageio.v3 as iio
import numpy as np
import torch
from torch.utils.data import IterableDataset

TRAIN_CHARACTERS = 1100
VAL_CHARACTERS = 100  # the other 423 of Omniglot's 1,623 characters are for testing


class DataProblem(ValueError):
    """The images or the settings do not fit; the message says what to do about it."""


def list_characters(data_folder):
    """The character folders `data_folder/ALPHABET/characterNN`, sorted.

    Raises:
        DataProblem: there are none.
    """
    try:
        alphabets = sorted(entry.path for entry in os.scandir(data_folder) if entry.is_dir())
    except (FileNotFoundError, NotADirectoryError):
        alphabets = []
    characters = [
        entry.path for alphabet in alphabets for entry in os.scandir(alphabet) if entry.is_dir()
    ]
    if not characters:
        raise DataProblem(
            f"No images in {data_folder}. Make them with: python -m fewshot.data omniglot"
        )
    return sorted(characters)


@functools.cache
def list_images(folder):
    """The paths of a character's images, sorted, because `os.listdir` has no order of its own."""
    folder = str(folder)  # a folder of np.random.choice is a np.str_, whose files are bytes
    names = sorted(name for name in os.listdir(folder) if name.endswith(".png"))
    return [os.path.join(folder, name) for name in names]


def get_images(paths, labels, nb_samples=None, shuffle=True):
    """Pair the images of some character folders with labels.

    Args:
        paths: character folders.
        labels: one label per folder, of any type.
        nb_samples: how many different images to draw from each folder; None takes all.
        shuffle: whether to shuffle the pairs. Without it they come folder by folder.

    Returns:
        A list of (label, image path) pairs.
    """
    pairs = []
    for path, label in zip(paths, labels, strict=True):
        images = list_images(path)
        if nb_samples is not None:
            images = random.sample(images, nb_samples)
        pairs += [(label, image) for image in images]
    if shuffle:
        random.shuffle(pairs)
    return pairs


@functools.cache
def load_packed(data_folder):
    """Every image of the folder at once, from the array that `fewshot.data` left beside it.

    Decoding 32,460 PNGs takes seconds, loading the array a fraction of one.

    Returns:
        {image path: float32 [784], ink 1 and paper 0}; empty if there is no such array.
    """
    try:
        with np.load(f"{data_folder}.npz") as packed:
            images = packed["images"].astype(np.float32) / 255.0
            images.flags.writeable = False  # they are shared by all generators
            files = [os.path.join(data_folder, *path.split("/")) for path in packed["paths"]]
            return dict(zip(files, images, strict=True))
    except Exception:  # missing, or damaged in one of many ways: the PNGs are still there
        return {}


def read_image(filename):
    """Decode a PNG: float32 [height · width], ink 1 and paper 0."""
    try:
        image = iio.imread(filename)
    except Exception as error:  # damage has many names
        raise DataProblem(
            f"{filename} is not a readable image. Delete its folder and make it again with: "
            "python -m fewshot.data omniglot"
        ) from error
    # A 1-bit PNG comes as booleans, an 8-bit one as 0 to 255; paper is the brightest.
    brightest = 1 if image.dtype == bool else 255
    image = 1.0 - image.astype(np.float32).reshape(-1) / brightest
    image.flags.writeable = False
    return image


class DataGenerator(IterableDataset):
    """An endless stream of tasks. A `torch.utils.data.DataLoader` stacks B of them to a batch.

    Args:
        num_classes: N, the number of characters in a task.
        num_samples_per_class: K+1, the number of images of each character.
        batch_type: the split to draw characters from, "train", "val" or "test".
        config: "data_folder" (default "./omniglot_resized") and "img_size" (default (28, 28)).
        device: kept from the public starter; hw1.py moves whole batches to the device instead.
        cache: keep decoded images in memory.

    Raises:
        DataProblem: no images, or fewer characters or images than a task needs.
    """

    def __init__(
        self,
        num_classes,
        num_samples_per_class,
        batch_type,
        config={},  # noqa: B006, the public starter's signature
        device=torch.device("cpu"),  # noqa: B008
        cache=True,
    ):
        self.num_classes = num_classes
        self.num_samples_per_class = num_samples_per_class
        self.img_size = config.get("img_size", (28, 28))
        self.dim_input = int(np.prod(self.img_size))
        self.dim_output = num_classes
        self.device = device
        self.image_caching = cache

        data_folder = os.path.normpath(config.get("data_folder", "./omniglot_resized"))
        folders = list_characters(data_folder)
        random.Random(1).shuffle(folders)  # the same split in every run and on every machine
        self.metatrain_character_folders = folders[:TRAIN_CHARACTERS]
        self.metaval_character_folders = folders[TRAIN_CHARACTERS:][:VAL_CHARACTERS]
        self.metatest_character_folders = folders[TRAIN_CHARACTERS:][VAL_CHARACTERS:]
        self.folders = {
            "train": self.metatrain_character_folders,
            "val": self.metaval_character_folders,
            "test": self.metatest_character_folders,
        }[batch_type]
        self.stored_images = load_packed(data_folder) if cache else {}

        if not 1 <= num_classes <= len(self.folders):
            raise DataProblem(
                f"--num_classes {num_classes}: the {batch_type} split of {data_folder} has "
                f"{len(self.folders)} characters, so choose 1 to {len(self.folders)}."
            )
        images = len(list_images(self.folders[0]))
        if not 2 <= num_samples_per_class <= images:
            raise DataProblem(
                f"--num_shot {num_samples_per_class - 1}: a character has {images} images, one of "
                f"which is the query, so choose 1 to {images - 1}."
            )

    def image_file_to_array(self, filename, dim_input):
        """Read one image.

        Args:
            filename: path of a PNG.
            dim_input: number of pixels, 784 for 28×28.

        Returns:
            float32 [dim_input], ink 1 and paper 0. It is read-only, because it is cached: to change
            it, copy it.

        Raises:
            DataProblem: the image has another size, or is not an image.
        """
        image = self.stored_images.get(filename)
        if image is None:
            image = read_image(filename)
            if self.image_caching:
                self.stored_images[filename] = image
        if image.size != dim_input:
            raise DataProblem(
                f"{filename} has {image.size} pixels instead of {dim_input}: the homework needs "
                "28×28 images, which `python -m fewshot.data omniglot` makes."
            )
        return image

    def _sample(self):
        """Draw one task. This is Problem 1.

        Take N different characters from `self.folders` and K+1 different images of each; the
        functions above turn folders into (label, path) pairs and a path into an array.

        - Row k < K is the k-th shot of the support set, in the same order in every row:
          `images[k, n]` shows class n, and `labels[k, n]` is the one-hot vector of n.
        - The last row is the query set. Shuffle it, images and labels together: a model
          that scores 100 % has learnt the order instead of the images.

        Returns:
            images: float32 [K+1, N, 784].
            labels: float32 [K+1, N, N], one-hot.
        """
        #### YOUR CODE GOES HERE ####
        # BEGIN SOLUTION Problem 1
        N, K = self.num_classes, self.num_samples_per_class - 1
        folders = random.sample(self.folders, N)
        files = [random.sample(list_images(folder), K + 1) for folder in folders]

        query = random.sample(range(N), N)
        rows = [[*range(N)]] * K + [query]  # which class stands where
        images = [
            self.image_file_to_array(files[n][k], self.dim_input)
            for k, row in enumerate(rows)
            for n in row
        ]
        images = np.concatenate(images).reshape(K + 1, N, self.dim_input)
        labels = np.eye(N, dtype=np.float32)[np.array(rows)]
        return images, labels
        # END SOLUTION

    def __iter__(self):
        """Tasks without end."""
        while True:
            yield self._sample()
