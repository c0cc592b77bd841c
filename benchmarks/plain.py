"""The homework's pipeline as it was in 2022, rewritten plainly, to compare ours with.

A PNG is decoded per image and kept in a dictionary, four DataLoader workers draw the tasks, Adam
at a constant rate trains on the images as they are.
"""

import os
import random

import imageio.v3 as iio
import numpy as np
import torch
from torch.utils.data import DataLoader, IterableDataset

WORKERS = 4
LEARNING_RATE = 1e-3


class PlainGenerator(IterableDataset):
    """Tasks: images float32 [K+1, N, 784] and one-hot labels float32 [K+1, N, N]."""

    def __init__(self, folders, num_classes, num_samples_per_class):
        self.folders = folders
        self.num_classes = num_classes
        self.num_samples_per_class = num_samples_per_class
        self.images = {}

    def read(self, path):
        if path not in self.images:
            image = iio.imread(path).astype(np.float32)  # a 1-bit PNG: 1 is paper
            self.images[path] = 1.0 - image.reshape(-1)
        return self.images[path]

    def _sample(self):
        images = np.zeros((self.num_samples_per_class, self.num_classes, 784), np.float32)
        labels = np.zeros((self.num_samples_per_class, self.num_classes, self.num_classes))
        for n, folder in enumerate(random.sample(self.folders, self.num_classes)):
            for k, name in enumerate(random.sample(os.listdir(folder), self.num_samples_per_class)):
                images[k, n] = self.read(os.path.join(folder, name))
                labels[k, n, n] = 1
        order = np.random.permutation(self.num_classes)
        images[-1], labels[-1] = images[-1, order], labels[-1, order]
        return images, labels.astype(np.float32)

    def __iter__(self):
        while True:
            yield self._sample()


def plain_batches(generator, batch_size):
    """An endless iterator over batches, drawn by four workers."""
    return iter(DataLoader(generator, batch_size, num_workers=WORKERS))


def plain_step(batch, model, optim):
    """One step: forward, loss, backward, update."""
    images, labels = batch
    loss = model.loss_function(model(images, labels), labels)
    optim.zero_grad()
    loss.backward()
    optim.step()
    return loss.item()


@torch.no_grad()
def plain_accuracy(model, tasks):
    """Query accuracy on images [tasks, K+1, N, 784] and labels [tasks, K+1, N, N]."""
    images, labels = tasks
    right = model(images, labels)[:, -1].argmax(-1) == labels[:, -1].argmax(-1)
    return right.float().mean().item()
