"""A whole submission in the form of the public starter of 2022: only the interface is shared."""

LOAD_DATA = '''"""Loading Omniglot tasks."""

import os
import random

import imageio
import numpy as np
import torch
from torch.utils.data import IterableDataset, dataloader


def get_images(paths, labels, nb_samples=None, shuffle=True):
    """(label, image path) pairs of the character folders `paths`."""
    if nb_samples is not None:
        pick = lambda files: random.sample(files, nb_samples)
    else:
        pick = lambda files: files
    pairs = [
        (label, os.path.join(path, file))
        for label, path in zip(labels, paths)
        for file in pick(os.listdir(path))
    ]
    if shuffle:
        random.shuffle(pairs)
    return pairs


class DataGenerator(IterableDataset):
    def __init__(
        self,
        num_classes,
        num_samples_per_class,
        batch_type,
        config={},
        device=torch.device("cpu"),
        cache=True,
    ):
        self.num_samples_per_class = num_samples_per_class
        self.num_classes = num_classes
        data_folder = config.get("data_folder", "./omniglot_resized")
        self.img_size = config.get("img_size", (28, 28))
        self.dim_input = np.prod(self.img_size)
        self.dim_output = self.num_classes
        self.device = device
        self.image_caching = cache
        self.stored_images = {}

        character_folders = []
        for family in os.listdir(data_folder):
            if not os.path.isdir(os.path.join(data_folder, family)):
                continue
            for character in os.listdir(os.path.join(data_folder, family)):
                if os.path.isdir(os.path.join(data_folder, family, character)):
                    character_folders.append(os.path.join(data_folder, family, character))

        random.seed(1)
        random.shuffle(character_folders)
        num_train, num_val = 1100, 100
        self.metatrain_character_folders = character_folders[:num_train]
        self.metaval_character_folders = character_folders[num_train : num_train + num_val]
        self.metatest_character_folders = character_folders[num_train + num_val :]
        if batch_type == "train":
            self.folders = self.metatrain_character_folders
        elif batch_type == "val":
            self.folders = self.metaval_character_folders
        else:
            self.folders = self.metatest_character_folders

    def image_file_to_array(self, filename, dim_input):
        """A flat array of an image, 1 where there is ink."""
        if self.image_caching and (filename in self.stored_images):
            return self.stored_images[filename]
        image = imageio.imread(filename)
        image = image.reshape([dim_input])
        image = image.astype(np.float32) / 255.0
        image = 1.0 - image
        if self.image_caching:
            self.stored_images[filename] = image
        return image

    def _sample(self):
        """One task: images [K+1, N, 784] and labels [K+1, N, N]."""
        chosen = random.sample(self.folders, self.num_classes)
        pairs = get_images(chosen, range(self.num_classes), self.num_samples_per_class, False)
        images = np.stack([self.image_file_to_array(file, self.dim_input) for _, file in pairs])
        labels = np.eye(self.num_classes)[[label for label, _ in pairs]]
        shape = (self.num_classes, self.num_samples_per_class, -1)
        images = np.swapaxes(images.reshape(shape), 0, 1).copy()
        labels = np.swapaxes(labels.reshape(shape), 0, 1).copy()
        order = np.random.permutation(self.num_classes)
        images[-1], labels[-1] = images[-1, order], labels[-1, order]
        return images.astype(np.float32), labels.astype(np.float32)

    def __iter__(self):
        while True:
            yield self._sample()
'''

HW1 = '''"""Training a memory-augmented network."""

import argparse
import os
import random

import numpy as np
import torch
import torch.nn.functional as F
from google_drive_downloader import GoogleDriveDownloader as gdd
from torch import nn
from torch.utils import tensorboard

from load_data import DataGenerator


def initialize_weights(model):
    nn.init.xavier_uniform_(model.weight_ih_l0)
    nn.init.orthogonal_(model.weight_hh_l0)
    nn.init.zeros_(model.bias_hh_l0)
    nn.init.zeros_(model.bias_ih_l0)


class MANN(nn.Module):
    def __init__(self, num_classes, samples_per_class, hidden_dim):
        super(MANN, self).__init__()
        self.num_classes = num_classes
        self.samples_per_class = samples_per_class
        self.layer1 = torch.nn.LSTM(num_classes + 784, hidden_dim, batch_first=True)
        self.layer2 = torch.nn.LSTM(hidden_dim, num_classes, batch_first=True)
        initialize_weights(self.layer1)
        initialize_weights(self.layer2)

    def forward(self, input_images, input_labels):
        B = input_images.shape[0]
        labels = input_labels.clone().detach()
        labels[:, self.samples_per_class - 1] = 0
        x = torch.cat((labels, input_images), dim=3)
        x = x.reshape(B, self.samples_per_class * self.num_classes, -1).float()
        x, _ = self.layer1(x)
        x, _ = self.layer2(x)
        return x.reshape(B, self.samples_per_class, self.num_classes, self.num_classes)

    def loss_function(self, preds, labels):
        logits = preds[:, self.samples_per_class - 1].reshape(-1, self.num_classes)
        targets = torch.argmax(labels[:, self.samples_per_class - 1], dim=-1).reshape(-1)
        return F.cross_entropy(logits, targets)


def train_step(images, labels, model, optim, eval=False):
    predictions = model(images, labels)
    loss = model.loss_function(predictions, labels)
    if not eval:
        optim.zero_grad()
        loss.backward()
        optim.step()
    return predictions.detach(), loss.detach()


def main(config):
    print(config)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    writer = tensorboard.SummaryWriter(
        f"runs/{config.num_classes}_{config.num_shot}_{config.random_seed}_{config.hidden_dim}"
    )
    if not os.path.isdir("./omniglot_resized"):
        gdd.download_file_from_google_drive("", "./omniglot_resized.zip", unzip=True)

    def loader(split):
        tasks = DataGenerator(
            config.num_classes,
            config.num_shot + 1,
            split,
            device=device,
            cache=config.image_caching,
        )
        return iter(
            torch.utils.data.DataLoader(
                tasks, config.meta_batch_size, num_workers=config.num_workers, pin_memory=True
            )
        )

    train, test = loader("train"), loader("test")
    model = MANN(config.num_classes, config.num_shot + 1, config.hidden_dim).to(device)
    optim = torch.optim.Adam(model.parameters(), lr=config.learning_rate)
    for step in range(config.train_steps):
        images, labels = (part.to(device) for part in next(train))
        _, loss = train_step(images, labels, model, optim)
        writer.add_scalar("Loss/train", loss, step)
        if step % config.eval_freq == 0:
            images, labels = (part.to(device) for part in next(test))
            predictions, loss = train_step(images, labels, model, optim, eval=True)
            right = predictions[:, -1].argmax(-1) == labels[:, -1].argmax(-1)
            writer.add_scalar("Loss/test", loss, step)
            writer.add_scalar("Accuracy/test", right.float().mean(), step)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--num_classes", type=int, default=5)
    parser.add_argument("--num_shot", type=int, default=1)
    parser.add_argument("--num_workers", type=int, default=4)
    parser.add_argument("--eval_freq", type=int, default=100)
    parser.add_argument("--meta_batch_size", type=int, default=128)
    parser.add_argument("--hidden_dim", type=int, default=128)
    parser.add_argument("--random_seed", type=int, default=123)
    parser.add_argument("--learning_rate", type=float, default=1e-3)
    parser.add_argument("--train_steps", type=int, default=25000)
    parser.add_argument("--image_caching", type=bool, default=True)
    config = parser.parse_args()
    random.seed(config.random_seed)
    np.random.seed(config.random_seed)
    torch.manual_seed(config.random_seed)
    main(config)
'''
