"""Peers at equal bytes, with a codec whose sizes are known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.lib.lossy_tables import curves, tables
from benchmarks.lib.peers import LossyPeer
from benchmarks.lib.scores import Curve, Original, Outcome

X = np.random.default_rng(0).integers(0, 256, (176, 176, 3), np.uint8)
ORIGINAL = Original(X, [])
sizes = st.lists(st.integers(1, 400), min_size=1, max_size=60).map(np.cumsum)


def stub(table):
    """A codec of files of these sizes; the more bytes, the less it adds to the picture."""

    def decode(data):
        return np.clip(X.astype(int) + 2000 // len(data), 0, 255).astype(np.uint8)

    return LossyPeer(len(table), lambda x, q: bytes(int(table[q])), decode)


@given(sizes, st.lists(st.integers(1, 30000), min_size=1, max_size=9))
def test_the_best_file_within_the_bytes_is_found(table, budgets):
    curve = Curve(stub(table), ORIGINAL)
    for budget in budgets:
        fitting = [q for q, size in enumerate(table) if size <= budget]
        assert curve.within(budget) == max(fitting, default=0)


def test_few_files_are_encoded():
    curve = Curve(stub(np.round(200 * 1.07 ** np.arange(100)).astype(int)), ORIGINAL)
    for budget in range(1000, 41000, 5000):
        curve.within(budget)
    assert len(curve.files) < 35


@settings(max_examples=10)
@given(st.integers(100, 4000))
def test_at_equal_bytes_a_peer_is_between_two_of_its_files(budget):
    curve = Curve(stub(np.array([100, 400, 1600, 6400])), ORIGINAL)
    match = curve.match(budget)
    above = curve.score(curve.within(budget) + 1)
    assert match.best.size <= budget < above.size
    assert match.best.psnr <= match.psnr <= above.psnr
    assert match.best.ms_ssim_db <= match.ms_ssim_db <= above.ms_ssim_db


def test_where_no_file_is_so_small_the_smallest_stands_in():
    match = Curve(stub(np.array([500, 900])), ORIGINAL).match(80)
    assert (match.best.size, match.psnr) == (500, match.best.psnr)


def outcome(name, size):
    curve = Curve(stub(np.array([500, 1500, 4500])), ORIGINAL)
    preview, dream = (ORIGINAL.score(np.clip(X + np.uint8(k), 0, 255), size) for k in (3, 5))
    return Outcome(
        name, X.shape[0] * X.shape[1], 90000, size, preview, dream, np.ones((9, 3)), {"stub": curve.match(size)}
    )


def test_curves_and_tables_hold_every_quality_and_codec():
    by_quality = {q: [outcome(name, size) for name in "ab"] for q, size in ((1, 400), (2, 2000))}
    drawn = curves(by_quality)
    assert list(drawn) == ["preview", "dream", "stub"]
    assert [p["bpp"] for p in drawn["preview"]] == pytest.approx(
        [8 * s / X[..., 0].size for s in (400, 2000)], abs=1e-4
    )
    assert drawn["stub"][0]["bpp"] == pytest.approx(8 * 500 / X[..., 0].size, abs=1e-4)  # its smallest
    for table in tables(by_quality, drawn):
        assert all(len(row) == len(table.columns) for row in table.rows)
        assert table.markdown()
