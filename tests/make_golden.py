"""Adds golden files of a release: python -m tests.make_golden. It never overwrites one, and adds none that this or an
earlier release has.

Each NAME.vlz has NAME.png beside it, the picture it must decode to; a lossy one NAME.preview.png too.
"""

from pathlib import Path

from PIL import Image, ImageDraw
from PIL.PngImagePlugin import iTXt

from tests import pictures
from vlaezip import __version__, api
from vlaezip.format import pixels, stored
from vlaezip.format.container import Kind, is_learned, read
from vlaezip.model import weights

FOLDER = Path(__file__).parent / "golden"


def add(name: str, data: bytes) -> None:
    path = FOLDER / f"{__version__}-{name}.vlz"
    if any(data == old.read_bytes() for old in FOLDER.glob(f"*-{name}.vlz")):
        return
    if path.exists():
        raise SystemExit(f"{path} exists, and golden files are never regenerated")
    path.write_bytes(data)
    whole(data).save(path.with_suffix(".png"))
    if "lossy" in name:
        api.decompress(data, preview=True).save(path.with_suffix(".preview.png"))


def whole(data: bytes) -> Image.Image:
    """The picture of a file, or those of an archive, one below the other."""
    if read(data).header.kind is not Kind.ARCHIVE:
        return api.decompress(data)
    found = [image for _, image in api.decompress_archive(data)]
    width, height = found[0].size
    page = Image.new(found[0].mode, (width, height * len(found)))
    for number, image in enumerate(found):
        page.paste(image, (0, height * number))
    return page


def digits() -> list[tuple[str, Image.Image]]:
    """Strokes of 0 and 1, not of any set."""
    pages = [Image.new("1", (28, 28)) for _ in range(24)]
    for n, page in enumerate(pages):
        ImageDraw.Draw(page).arc((6 + n % 5, 4, 20, 24 - n % 3), 15 * n, 15 * n + 250, fill=1, width=2)
    return [(f"stroke {n}", page) for n, page in enumerate(pages)]


def static(image: Image.Image, model: str = weights.DEFAULT) -> bytes:
    """A lossless file of a model that does not learn."""
    return api.compress(image, lossless=True, effort=0, model=model)


def learned(image: Image.Image, model: str = weights.DEFAULT) -> bytes:
    """A lossless file of a model that learns."""
    data = api.compress(image, lossless=True, model=model)
    assert is_learned(read(data).data)
    return data


def drawn() -> bytes:
    """An archive of many draws of z."""
    data = api.compress_archive(digits(), model="mnist-static", draws=8)
    assert read(data).data[4] == 9
    return data


def noted() -> bytes:
    """A file with notes: of every kind."""
    image = pictures.photo(40, 50)
    image.info |= {"Title": "a house", "Author": iTXt("Zoë", "nl", "Auteur"), "comment": b"caf\xe9", "gamma": 0.45455}
    return static(image)


def in_bands() -> bytes:
    """A stored picture in bands, as only large ones are."""
    stored.WHOLE, stored.BAND = 1000, 600
    picture = pixels.split(pictures.photo(52, 70, "RGBA"))
    return api.stored(picture, stored.store(picture))


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    photo = pictures.photo(52, 70)
    for name, image, model in (
        ("", photo, "photo"),
        ("-grey", pictures.photo(52, 70, "L"), "photo"),
        ("-fast", photo, "photo-fast"),
        ("-alpha", pictures.photo(52, 70, "RGBA"), "photo"),
    ):
        add(f"lossless{name}", static(image, model))
        add(f"learned{name}", learned(image, model))
    for quality in (1, 4, 8):
        add(f"lossy-{quality}", api.compress(photo, quality=quality, seed=quality))
    add("lossy-grey", api.compress(pictures.photo(52, 70, "LA"), seed=9, temperature=1.0))
    add("stored", api.compress(pictures.photo(52, 70, "P"), lossless=True))
    add(
        "archive", api.compress_archive((f"{n}", pictures.photo(20 + n, 30).crop((0, n, 30, n + 20))) for n in range(3))
    )
    add("archive-binary", api.compress_archive(digits(), model="mnist-static"))
    add("archive-draws", drawn())
    add("lossless-notes", noted())
    add("stored-bands", in_bands())
    for model in ("caltech", "mnist-dynamic", "omniglot", "omniglot-0.5"):
        add(f"archive-{model}", api.compress_archive(digits(), model=model))
    squares = (pictures.photo(32, 32, seed=n) for n in range(3))
    add(
        "archive-cifar10", api.compress_archive(((f"{n}", square) for n, square in enumerate(squares)), model="cifar10")
    )
    api.TILE = 64
    wide = pictures.photo(90, 200)
    add("lossless-chained", static(wide))
    add("learned-tiles", learned(wide))
    add("lossy-tiles", api.compress(wide))


if __name__ == "__main__":
    main()
