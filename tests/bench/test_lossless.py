"""Lossless codecs side by side, on pictures small enough for a test."""

import numpy as np
import pytest

from benchmarks import lossless
from benchmarks.lib import peers
from tests.pictures import photo
from vlaezip.format.container import is_learned, read

X = np.asarray(photo(40, 56))


@pytest.mark.parametrize("codec", lossless.CODECS.values(), ids=lossless.CODECS)
def test_decode_inverts_encode(codec):
    assert np.array_equal(codec.decode(codec.encode(X)), X)


def test_our_own_learn_but_at_effort_0():
    learns = {name: is_learned(read(peer.encode(X)).data) for name, peer in peers.VLAEZIP.items()}
    assert learns == {"vlaezip": True, "vlaezip, effort 0": False, "vlaezip fast": True}


def test_a_race_has_every_picture_of_every_codec():
    codecs = {name: lossless.CODECS[name] for name in ("PNG", "vlaezip", "vlaezip, effort 0")}
    outcomes = lossless.race(codecs, {"a": X, "b": X[:20]})
    assert list(outcomes) == list(codecs)
    assert all([o.values for o in list_] == [X.size, X.size // 2] for list_ in outcomes.values())
    lossless.check(outcomes)
    table = lossless.each({"a": X, "b": X[:20]}, outcomes)
    assert [row[:2] for row in table.rows] == [["a", "56 x 40"], ["b", "56 x 20"]]


def test_a_picture_that_does_not_come_back_is_told():
    spoilt = peers.Peer(lambda x: x.tobytes(), lambda data: np.zeros_like(X))
    with pytest.raises(SystemExit, match="bit for bit"):
        lossless.check({"spoilt": [lossless.measure(spoilt, X)]})
