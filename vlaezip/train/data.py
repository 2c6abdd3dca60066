"""Training pictures: padded once, cropped at random."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from vlaezip.device.window import pad
from vlaezip.model.config import Window
from vlaezip.model.window_kinds import MID_LEVEL
from vlaezip.train.augment import augment

SUFFIXES = {".png", ".webp", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff"}
HELD_OUT = 10  # every tenth picture, in the order of names, is for validation


def find(folder: Path) -> tuple[list[Path], list[Path]]:
    """Training and held-out pictures of a folder, by name."""
    paths = sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES)
    held = paths[::HELD_OUT]
    return [p for p in paths if p not in set(held)], held


def load(path: Path) -> np.ndarray:
    """[H, W, 3] uint8."""
    with Image.open(path) as image:
        return np.array(image.convert("RGB"))


class Crops:
    """Random crops, drawn by area and flipped half of the time; padded as a codec pads whole pictures.

    augmented: some of them through augment.augment.
    """

    def __init__(self, paths: list[Path], crop: int, window: Window, seed: int, augmented: bool = False) -> None:
        self.crop, self.window, self.augmented = crop, window, augmented
        self.rng = np.random.default_rng(seed)
        pictures = [p for p in map(load, paths) if min(p.shape[:2]) >= crop]
        self.padded: list[Tensor] = []
        for picture in pictures:
            for side in (picture, np.ascontiguousarray(picture[:, ::-1])):
                self.padded.append(pad(torch.from_numpy(side)[None], window, MID_LEVEL)[0])
        area = np.array([p.shape[0] * p.shape[1] for p in self.padded], float)
        self.odds = np.cumsum(area / area.sum())

    def draw(self, count: int) -> tuple[Tensor, Tensor]:
        """-> pictures [count, crop, crop, 3] and the same with the windows' margin, float32."""
        w, c = self.window, self.crop
        tiles = []
        for k in np.searchsorted(self.odds, self.rng.random(count)):
            p = self.padded[min(int(k), len(self.padded) - 1)]
            y = self.rng.integers(0, p.shape[0] - w.up - c + 1)
            x = self.rng.integers(0, p.shape[1] - w.left - w.right - c + 1)
            tiles.append(p[y : y + w.up + c, x : x + w.left + c + w.right])
        padded = torch.stack(tiles).float()
        if self.augmented:
            padded = augment(padded, self.rng)
        return padded[:, w.up :, w.left : w.left + c], padded
