"""Sets of small pictures, all of one size: the binary ones of the VLAE paper (section 4), and CIFAR-10.

Files are those of README's table: the published sets, packed. A set is uint8 [N, H, W, C]; pictures of 0 and 1 are
of one channel. mnist-dynamic and omniglot are grey, 0..255: drawn anew whenever they are seen, once for the tests.
"""

import errno
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from vlaezip.device.window import pad
from vlaezip.model.config import Window

Pictures = NDArray[np.uint8]
SIDE = 28
MOSAIC = 50  # pictures a side of a mosaic of CIFAR-10
TEST_SEED = 0  # of the draw that grey test pictures are measured on
HELD_OUT = 20  # one picture in twenty, where a set has no validation set of its own


@dataclass(frozen=True, slots=True)
class Set:
    """grey: samples are probabilities of a 1, times 255."""

    train: Pictures
    valid: Pictures
    test: Pictures
    grey: bool = False


def load(name: str, folder: Path) -> Set:
    """Raises FileNotFoundError and KeyError."""
    return LOADERS[name](folder)


def unpack(rows: NDArray[np.uint8], transposed: bool = False) -> Pictures:
    x = np.unpackbits(rows, axis=1).reshape(-1, SIDE, SIDE, 1)
    return np.ascontiguousarray(x.swapaxes(1, 2)) if transposed else x


def mnist_static(folder: Path) -> Set:
    """Larochelle's binarisation."""
    with np.load(folder / "binary" / "mnist_static_packed.npz") as f:
        return Set(*(unpack(f[part]) for part in ("train", "valid", "test")))


def mnist_dynamic(folder: Path) -> Set:
    with np.load(folder / "binary" / "mnist_grey.npz") as f:
        return split(f["x_train"][..., None], f["x_test"][..., None], True)


def omniglot(folder: Path) -> Set:
    with np.load(folder / "binary" / "omniglot_28.npz") as f:
        x, count = f["grey"][f["perm"]][..., None], 24_345
    return split(x[:count], x[count:], True)


def caltech(folder: Path) -> Set:
    with np.load(folder / "binary" / "caltech101_silhouettes_28_packed.npz") as f:
        return Set(*(unpack(f[part], transposed=True) for part in ("train", "val", "test")))


def cifar10(folder: Path) -> Set:
    def read(kind: str) -> Pictures:
        if not (paths := sorted((folder / "cifar10").glob(f"{kind}_*.webp"))):
            raise FileNotFoundError(errno.ENOENT, f"no {kind}_*.webp in {folder / 'cifar10'}")
        return np.concatenate([mosaic(np.asarray(Image.open(p))) for p in paths])

    return split(read("train"), read("test"), False)


def mosaic(x: Pictures) -> Pictures:
    """A square of MOSAIC x MOSAIC pictures -> those, row by row."""
    side = len(x) // MOSAIC
    return x.reshape(MOSAIC, side, MOSAIC, side, -1).swapaxes(1, 2).reshape(-1, side, side, x.shape[2])


def split(train: Pictures, test: Pictures, grey: bool) -> Set:
    held = np.arange(len(train)) % HELD_OUT == 0
    return Set(train[~held], train[held], test, grey)


LOADERS = {
    "mnist-static": mnist_static, "mnist-dynamic": mnist_dynamic, "omniglot": omniglot, "caltech": caltech,
    "cifar10": cifar10,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Labels:
    """Classes of the training and test pictures of a set, int64 [N], in their order."""

    train: NDArray[np.int64]
    test: NDArray[np.int64]


def mnist_labels(folder: Path) -> Labels:
    with np.load(folder / "binary" / "mnist_grey.npz") as f:
        return classes(f["y_train"], f["y_test"])


def cifar10_labels(folder: Path) -> Labels:
    return classes(*(np.load(folder / f"cifar10_{part}_labels.npz")["y"] for part in ("train", "test")))


def classes(train: NDArray[np.uint8], test: NDArray[np.uint8]) -> Labels:
    """Those of split()."""
    held = np.arange(len(train)) % HELD_OUT == 0
    return Labels(train[~held].astype(np.int64), test.astype(np.int64))


def mnist_static_labels(folder: Path) -> Labels:
    """Of Larochelle's digits, which come without: those of the grey digits that they were drawn from."""
    found = mnist_static(folder)
    with np.load(folder / "binary" / "mnist_grey.npz") as f:
        pairs = ((found.train, f["x_train"], f["y_train"]), (found.test, f["x_test"], f["y_test"]))
        train, test = (y[sources(x, grey)].astype(np.int64) for x, grey, y in pairs)
    return Labels(train, test)


def sources(x: Pictures, grey: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Which of grey [M, H, W] each binary picture [N, H, W, 1] was most likely drawn from: [N]."""
    p = (grey.reshape(len(grey), -1).astype(np.float32) / 255).clip(1e-3, 1 - 1e-3)
    odds, none = np.log(p / (1 - p)).T, np.log1p(-p).sum(1)
    parts = np.array_split(x.reshape(len(x), -1), -(-len(x) // 1000))
    return np.concatenate([(part.astype(np.float32) @ odds + none).argmax(1) for part in parts])


LABELS = {"mnist-static": mnist_static_labels, "mnist-dynamic": mnist_labels, "cifar10": cifar10_labels}


def binarise(x: Pictures, rng: np.random.Generator) -> Pictures:
    """Each pixel is 1 with the probability that its grey says (Salakhutdinov and Murray 2008)."""
    return (rng.integers(0, 255, x.shape) < x).astype(np.uint8)


def drawn_once(x: Pictures, grey: bool) -> Pictures:
    """Pictures to be measured on: drawn once."""
    return binarise(x, np.random.default_rng(TEST_SEED)) if grey else x


def measured(name: str, folder: Path, part: str = "test") -> Pictures:
    """The pictures of a part of a set that figures are of. Raises FileNotFoundError and KeyError."""
    found = load(name, folder)
    return drawn_once(getattr(found, part), found.grey)


def evenly(x: Pictures, count: int) -> Pictures:
    """So many of the pictures, or all, evenly from the first on: some sets are sorted."""
    return x[:: max(len(x) // count, 1)][:count]


class Draws:
    """Random pictures of a set: the twin of data.Crops."""

    def __init__(self, pictures: Pictures, grey: bool, window: Window, fill: int, seed: int, flips: bool) -> None:
        self.pictures, self.grey, self.window, self.fill, self.flips = pictures, grey, window, fill, flips
        self.rng = np.random.default_rng(seed)

    def draw(self, count: int) -> tuple[Tensor, Tensor]:
        """-> pictures [count, H, W, C] and the same with the windows' margin, float32."""
        x = self.pictures[self.rng.integers(0, len(self.pictures), count)]
        if self.grey:
            x = binarise(x, self.rng)
        if self.flips:
            x = np.where(self.rng.random((count, 1, 1, 1)) < 0.5, x, x[:, :, ::-1])
        return batch(x, self.window, self.fill)


def batch(x: Pictures, window: Window, fill: int) -> tuple[Tensor, Tensor]:
    """Pictures [B, H, W, C] as nets take them: themselves, and with the windows' margin; float32."""
    shown = torch.from_numpy(np.ascontiguousarray(x)).float()
    return shown, pad(shown, window, fill)
