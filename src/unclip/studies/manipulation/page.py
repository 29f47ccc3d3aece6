"""The words, tables and plots of a study."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from unclip.figures.differences import PAIRED, difference_table, sentences
from unclip.figures.report import Section
from unclip.figures.study_plots import Line, Panel, lines_of, panels_plot

Figures = Mapping[str, Any]
HEADS = {
    "inversion": "Inversion",
    "interpolation": "Interpolation",
    "guidance": "Guidance",
    "clip-guidance": "Guidance by the noise-aware CLIP",
}
WORDS = {
    "inversion": "Held-out images, inverted (DDIM backwards, several evaluations a step) and drawn again by DDIM at "
    "eta 0, without captions and without guidance. Squared errors count pixels from 0 to 1; PSNR ends at 100 dB.",
    "interpolation": "Blends of pairs of held-out images: z_i goes by slerp; x_T goes by slerp too, or is one drawn "
    "noise for all. Steps between neighbours, in radians between CLIP embeddings and as root mean square of pixels "
    "0 to 1. Ratios are to the even step, the ends' distance over the number of steps: a mean ratio above 1 is a "
    "detour, the largest ratio is the worst jump.",
    "guidance": "An image for each held-out caption at each guidance scale of the decoder. CLIP score: cosine of "
    "image and caption, and how far it lies above another caption's. KID: kernel distance to the true images in "
    "the run's own CLIP. Diversity: mean CLIP distance between images of one prompt by several seeds. Exact: whole "
    "scenes right.",
    "clip-guidance": "The same, guided by the noise-aware CLIP alone: classifier-free guidance is 1, so scale 0 is no "
    "guidance at all (GLIDE, section 5, compares the two). The CLIP score is by the run's own CLIP, from which the "
    "guiding one was trained: it flatters.",
}


def sections(part: str, metrics: Figures, paired: Figures, plot: Path | None, note: str) -> Iterator[Section]:
    """One part of the page: the figures, and what tells its settings apart."""
    yield Section(HEADS[part], WORDS[part] + note, TABLES[part](metrics), [plot] if plot else [])
    if paired:
        text = "\n\n".join([PAIRED, *sentences(paired)])
        yield Section(f"{HEADS[part]}: differences", text, difference_table(paired, metrics))


def brief(part: str, found: Figures) -> str:
    """One line of what was found."""
    if part == "inversion":
        return f"PSNR {_mean(found['psnr'], 2)} dB over {found['n']} images"
    if part == "interpolation":
        kinds = (f"{k} steps {_mean(found[k]['mean_ratio'], 2)}, at most {_mean(found[k]['most_ratio'], 2)} times even"
                 for k in ("clip", "pixels"))  # fmt: skip
        return "; ".join(kinds)
    return f"CLIP score {found['clip_score']['matched']:.3f}, diversity {_mean(found['diversity'], 3)}"


def _inversion_table(metrics: Figures) -> Sequence[Sequence[object]]:
    rows = [(steps, _mean(f["psnr"], 2), _mean(f["squared_error"], 6), f["n"]) for steps, f in metrics.items()]
    return [("steps", "PSNR, dB", "squared error", "images"), *rows]


def _interpolation_table(metrics: Figures) -> Sequence[Sequence[object]]:
    kinds = ("step", "longest", "mean_ratio", "most_ratio")
    rows = [
        (f"x_T {noise}", space, *(_mean(f[space][kind], 3) for kind in kinds))
        for noise, f in metrics.items()
        for space in ("clip", "pixels")
    ]
    return [("noise", "space", "mean step", "largest step", "mean / even", "largest / even"), *rows]


def _guidance_table(metrics: Figures) -> Sequence[Sequence[object]]:
    exact = any("exact" in f for f in metrics.values())
    rows = [
        (
            scale,
            f"{f['clip_score']['matched']:.3f}",
            f"{f['clip_score']['gap']:.3f} ± {f['clip_score']['error']:.3f}",
            _mean(f["kid"], 4),
            _mean(f["diversity"], 3),
            *((_mean(f["exact"], 3),) if exact else ()),
        )
        for scale, f in metrics.items()
    ]
    return [("scale", "CLIP score", "above shuffled", "KID", "diversity", *(("exact",) if exact else ())), *rows]


def _inversion_plot(metrics: Figures, out: Path) -> None:
    line = lines_of("PSNR", [float(steps) for steps in metrics], [f["psnr"] for f in metrics.values()])
    panels_plot([Panel("PSNR of inverted images, dB", "steps", [line])], out)


def _interpolation_plot(metrics: Figures, out: Path) -> None:
    panels = []
    for space, title in (("clip", "steps in CLIP's space / even step"), ("pixels", "steps in pixels / even step")):
        profiles = {f"x_T {noise}": f[space]["profile"] for noise, f in metrics.items()}
        lines = [lines_of(name, [(i + 0.5) / len(p) for i in range(len(p))], p) for name, p in profiles.items()]
        panels.append(Panel(title, "place on the way", lines, even=1.0))
    panels_plot(panels, out)


def _guidance_plot(metrics: Figures, out: Path) -> None:
    x, all_ = [float(scale) for scale in metrics], list(metrics.values())
    score = Line("CLIP score", x, [f["clip_score"]["gap"] for f in all_], [f["clip_score"]["error"] for f in all_])
    panels = [
        Panel("CLIP score above shuffled", "guidance scale", [score]),
        Panel("KID to true images", "guidance scale", [lines_of("KID", x, [f["kid"] for f in all_])]),
        Panel("diversity of one prompt", "guidance scale", [lines_of("d", x, [f["diversity"] for f in all_])]),
    ]
    if all("exact" in f for f in all_):
        panels.append(Panel("whole scenes right", "guidance scale", [lines_of("e", x, [f["exact"] for f in all_])]))
    panels_plot(panels, out)


def _mean(value: Mapping[str, float], digits: int) -> str:
    return f"{value['mean']:.{digits}f} ± {value['error']:.{digits}f}"


TABLES: dict[str, Callable[[Figures], Sequence[Sequence[object]]]] = {
    "inversion": _inversion_table,
    "interpolation": _interpolation_table,
    "guidance": _guidance_table,
    "clip-guidance": _guidance_table,
}
PLOTS: dict[str, Callable[[Figures, Path], None]] = {
    "inversion": _inversion_plot,
    "interpolation": _interpolation_plot,
    "guidance": _guidance_plot,
    "clip-guidance": _guidance_plot,
}
