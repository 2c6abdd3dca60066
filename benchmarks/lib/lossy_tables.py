"""What benchmarks.lossy publishes: means over the pictures, as curves and as tables."""

from collections.abc import Mapping, Sequence

import numpy as np

from benchmarks.lib.bjontegaard import bd_rate
from benchmarks.lib.report import Table
from benchmarks.lib.scores import Outcome

Outcomes = Mapping[int, Sequence[Outcome]]  # of each quality, the pictures
Curves = dict[str, list[dict[str, float]]]  # of preview, dream and each peer: a point a quality

STEADY = 6.0  # a block whose mean colour moves by more levels has drifted
OWN = ("preview", "dream")
RATE = ("quality", "bpp")
LIKENESS = ("psnr", "ms_ssim_db")

MS_SSIM_NOTE = "-10 log10(1 - MS-SSIM), the mean of all pictures' dB; five scales, the mean of R, G and B."
BEST = "0 for the original; of peers, the best file that is not bigger (of a peer's smallest file, if that is bigger)."
BY_PROGRAM = "By libjxl's program, where it is installed: of fidelity, so that other grain is as bad as none."
TEXTURE_NOTES = {
    "spectra": f"Mean |log2| of the ratio of power in rings of frequencies, windows of 32x32 of luma. {BEST}",
    "wavelets": f"Mean |log2| of the ratios of variance and kurtosis of sub-bands, blocks of 64x64 of luma. {BEST}",
    "SSIMULACRA 2": f"100 for the original. {BY_PROGRAM}",
    "Butteraugli": f"{BY_PROGRAM} {BEST}",
}


def mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def curves(by_quality: Outcomes) -> Curves:
    """Means over the pictures, of each quality. A peer's rate is ours, or its own where its smallest file has more."""
    found: Curves = {}
    for quality, outcomes in by_quality.items():
        for name in (*OWN, *outcomes[0].matches):
            points = [point(o, name) for o in outcomes]
            means = {key: round(mean([p[key] for p in points]), 4) for key in points[0]}
            found.setdefault(name, []).append({"quality": quality, **means})
    return found


def point(o: Outcome, name: str) -> dict[str, float]:
    """One picture's point on the curve of a name."""
    if name in OWN:
        score = o.preview if name == "preview" else o.dream
        return {"bpp": o.rate_bits, "psnr": score.psnr, "ms_ssim_db": score.ms_ssim_db, **score.texture}
    match = o.matches[name]
    rate_bits = max(o.rate_bits, 8 * match.best.size / o.places)
    return {"bpp": rate_bits, "psnr": match.psnr, "ms_ssim_db": match.ms_ssim_db, **match.best.texture}


def tables(by_quality: Outcomes, drawn: Curves) -> list[Table]:
    """All that is published."""
    names = [name for name in drawn if name not in OWN]
    textures = [key for key in drawn["preview"][0] if key not in RATE + LIKENESS]
    return [
        rate_table(by_quality),
        bd_table(drawn, names),
        abreast("PSNR at equal bytes, dB", drawn, "psnr", ["preview", *names, "dream"]),
        abreast("MS-SSIM at equal bytes, dB", drawn, "ms_ssim_db", ["preview", *names, "dream"], MS_SSIM_NOTE),
        *(
            abreast(f"Texture at equal bytes: {key}", drawn, key, ["dream", "preview", *names], TEXTURE_NOTES[key])
            for key in textures
        ),
        win_table(by_quality, names, textures),
        drift_table(by_quality),
        picture_table(by_quality),
    ]


def rate_table(by_quality: Outcomes) -> Table:
    """Rates and likenesses, means over the pictures."""
    columns = ["quality", "bpp", "PNG / size", "least", "preview dB", "MS-SSIM", "dream dB", "MS-SSIM"]
    rows = [
        [
            quality,
            mean([o.rate_bits for o in outcomes]),
            sum(o.png_size for o in outcomes) / sum(o.size for o in outcomes),
            min(o.png_size / o.size for o in outcomes),
            mean([o.preview.psnr for o in outcomes]),
            mean([o.preview.ms_ssim for o in outcomes]),
            mean([o.dream.psnr for o in outcomes]),
            mean([o.dream.ms_ssim for o in outcomes]),
        ]
        for quality, outcomes in by_quality.items()
    ]
    return Table("Qualities", columns, rows)


def bd_table(drawn: Curves, names: Sequence[str]) -> Table:
    """How many more bytes the preview needs than each peer."""

    def rate(name: str, key: str) -> float | None:
        both = [np.array([p[k] for p in drawn[curve]]) for curve in ("preview", name) for k in ("bpp", key)]
        return bd_rate(both[0], both[1], both[2], both[3])

    rows = [[name, *(rate(name, key) for key in LIKENESS)] for name in names]
    note = (
        "Bytes of the preview above the peer's at equal quality, on the mean curves; negative: the preview needs less."
    )
    return Table("BD-rate of the preview, %", ["against", "PSNR", "MS-SSIM"], rows, 1, note)


def abreast(title: str, drawn: Curves, key: str, names: Sequence[str], note: str = "") -> Table:
    """One measure of several curves, a row a quality."""
    rows = [[p["quality"], p["bpp"], *(drawn[name][i][key] for name in names)] for i, p in enumerate(drawn["preview"])]
    return Table(title, ["quality", "bpp", *names], rows, note=note)


def win_table(by_quality: Outcomes, names: Sequence[str], textures: Sequence[str]) -> Table:
    """On how many pictures the preview, or the dream's texture, leads a peer."""
    own = [key for key in textures if key != "SSIMULACRA 2"]
    rows = [
        [
            f"{quality} {name}",
            sum(o.preview.psnr > o.matches[name].psnr for o in outcomes),
            sum(o.preview.ms_ssim_db > o.matches[name].ms_ssim_db for o in outcomes),
            *(sum(o.dream.texture[key] < o.matches[name].best.texture[key] for o in outcomes) for key in own),
            sum(o.matches[name].best.size > o.size for o in outcomes),
        ]
        for quality, outcomes in by_quality.items()
        for name in names
    ]
    columns = ["quality, codec", "preview's dB", "MS-SSIM", *(f"dream's {key}" for key in own), "too big"]
    note = "Pictures on which vlaezip leads at equal bytes. Too big: those where the peer's smallest file is bigger."
    return Table("Pictures led", columns, rows, note=note)


def drift_table(by_quality: Outcomes) -> Table:
    """How steady the dreams are, over the blocks of all pictures."""
    columns = ["quality", "blocks", "mean", "95 %", "99 %", "% within 6", "worst picture", "max R", "max G", "max B"]
    note = "Mean colour of each 64x64 block of the dream against the preview's: levels of 255, of the worst channel."
    rows: list[list[object]] = []
    for quality, outcomes in by_quality.items():
        channels = np.concatenate([o.drift for o in outcomes])
        worst = channels.max(1)
        rows.append(
            [
                quality,
                len(worst),
                float(np.mean(worst)),
                *(float(np.percentile(worst, p)) for p in (95, 99)),
                100 * float(np.mean(worst <= STEADY)),
                min(steady(o) for o in outcomes),
                *(float(c) for c in channels.max(0)),
            ]
        )
    return Table("Drift of dreams", columns, rows, 2, note)


def steady(o: Outcome) -> float:
    """Per cent of a dream's blocks that have not drifted."""
    return 100 * float(np.mean(o.drift.max(1) <= STEADY))


def picture_table(by_quality: Outcomes) -> Table:
    """Every picture at every quality."""
    columns = ["picture, quality", "bytes", "bpp", "PNG / size", "preview dB", "MS-SSIM dB", "dream dB", "% within 6"]
    rows = [
        [
            f"{o.picture} {quality}",
            o.size,
            o.rate_bits,
            o.png_size / o.size,
            o.preview.psnr,
            o.preview.ms_ssim_db,
            o.dream.psnr,
            steady(o),
        ]
        for quality, outcomes in by_quality.items()
        for o in outcomes
    ]
    return Table("Pictures", columns, rows, 2)
