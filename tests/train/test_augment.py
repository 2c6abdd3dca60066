"""Augmented crops are still pictures, and differ in what they are meant to differ in."""

import numpy as np
import pytest
import torch

from vlaezip.train.augment import LUMA, augment, grain, subsample


def noise(seed: int) -> torch.Tensor:
    values = np.random.default_rng(seed).integers(80, 176, (33, 40, 3))
    return torch.from_numpy(values).float()


@pytest.mark.parametrize("seed", range(6))
def test_crops_stay_pictures(seed: int) -> None:
    x = torch.stack([noise(seed), 255 * (noise(seed + 9) > 128)]).float()
    before = x.clone()
    y = augment(x, np.random.default_rng(seed))
    assert y.shape == x.shape
    assert torch.equal(y, y.round())
    assert 0 <= y.min() <= y.max() <= 255
    assert torch.equal(x, before)


@pytest.mark.parametrize("seed", range(8))
def test_subsampling_keeps_luma_and_smooths_chroma(seed: int) -> None:
    x = noise(seed)
    y = subsample(x, np.random.default_rng(seed))
    assert (y @ LUMA - x @ LUMA).abs().max() <= 1.5
    for channel in (0, 2):
        before, after = (((t[..., channel] - t @ LUMA).diff(dim=1) ** 2).mean() for t in (x, y))
        assert after < 0.5 * before


def test_grey_stays_grey() -> None:
    x = noise(1)[..., :1].expand(-1, -1, 3)
    assert (subsample(x, np.random.default_rng(1)) - x).abs().max() <= 1


def test_grain_is_noise_around_the_picture() -> None:
    x = torch.full((200, 200, 3), 128.0)
    y = grain(x, np.random.default_rng(2))
    assert abs((y - x).mean()) < 0.1
    assert y.std() > 0.4
