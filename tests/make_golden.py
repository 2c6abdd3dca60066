"""Adds golden files of a release: python -m tests.make_golden. It never overwrites one.

Each NAME.vlz has NAME.png beside it, the picture it must decode to; a lossy one NAME.preview.png too.
"""

from pathlib import Path

from tests import pictures
from vlaezip import __version__, api
from vlaezip.container import read

FOLDER = Path(__file__).parent / "golden"


def add(name: str, data: bytes) -> None:
    path = FOLDER / f"{__version__}-{name}.vlz"
    if path.exists():
        raise SystemExit(f"{path} exists, and golden files are never regenerated")
    path.write_bytes(data)
    api.decompress(data).save(path.with_suffix(".png"))
    if "lossy" in name:
        api.decompress(data, preview=True).save(path.with_suffix(".preview.png"))


def tuned() -> bytes:
    """A file with a tuning: of a picture large enough to pay for one."""
    data = api.compress(pictures.photo(256, 384), lossless=True, effort=1)
    assert read(data).tuning is not None
    return data


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    photo = pictures.photo(52, 70)
    add("lossless", api.compress(photo, lossless=True))
    add("lossless-grey", api.compress(pictures.photo(52, 70, "L"), lossless=True))
    add("lossless-fast", api.compress(photo, lossless=True, model="photo-fast"))
    add("lossless-tuned", tuned())
    add("lossless-alpha", api.compress(pictures.photo(52, 70, "RGBA"), lossless=True))
    for quality in (1, 4, 8):
        add(f"lossy-{quality}", api.compress(photo, quality=quality, seed=quality))
    add("lossy-grey", api.compress(pictures.photo(52, 70, "LA"), seed=9, temperature=1.0))
    add("stored", api.compress(pictures.photo(52, 70, "P"), lossless=True))
    api.TILE = 64
    wide = pictures.photo(90, 200)
    add("lossless-chained", api.compress(wide, lossless=True))
    add("lossy-tiles", api.compress(wide))


if __name__ == "__main__":
    main()
