"""`unclip explain`: images for a lecture, made from a run's own data and model, and a page that shows them."""

import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import torch

from unclip.core.disk.atomic import write_atomic
from unclip.core.disk.lock import hold
from unclip.core.disk.store import to_json
from unclip.core.imports.missing import install
from unclip.core.noise import Noise
from unclip.diffusion.samplers import NAMES
from unclip.diffusion.schedules import BetaTable, LinearBeta
from unclip.evaluation.levels import LevelError, error_by_level, spread_levels
from unclip.figures.flow_plots import Trajectories, flow_animation, flow_plot, forward_plot
from unclip.figures.level_plot import Errors, level_plot
from unclip.figures.report import Section
from unclip.figures.schedule_plot import STANDARDS, curve, schedule_plot
from unclip.figures.strips import denoising_strip, noising_strip, save_sheet
from unclip.figures.style import available
from unclip.generation.load import called, load
from unclip.generation.one_pass import OnePassModel
from unclip.generation.settings import Settings
from unclip.images.files import tile, to_pictures
from unclip.recipes.events import Event, ImageSaved, Note, working
from unclip.runs.folder import RunFolder
from unclip.studies.explain import page as page
from unclip.studies.explain import toy
from unclip.studies.explain.beside import write_both
from unclip.studies.explain.request import IN_THE_PLANE, ExplainRequest, Task, levels_of
from unclip.studies.explain.subject import open_run
from unclip.studies.families.explained import explain_family, look_at
from unclip.studies.lecture.deck import lecture
from unclip.studies.lecture.one_pass import lecture as family_lecture

CELL = 140
"""Pixels that a cell of the samples is zoomed towards."""

Part = Generator[Event, None, Section]


def explain(root: Path, out: Path, ask: ExplainRequest) -> Iterator[Event]:
    """Draws everything into `out` and writes explain.html there.

    Raises ValueError without matplotlib, for a run that is unfinished or without its data, and for numbers of steps
    that its schedule does not have; for an `out` that holds what unclip did not make; all before anything is drawn.
    """
    with hold(out, known=RunFolder(out).is_run):
        model = load(root)
        if isinstance(model, OnePassModel):
            _check_plots(ask.slides)
            look = look_at(root, model, out, ask.seed)
            title, sections = f"A {called(model)}, seen in {root.name}", (yield from explain_family(look))
            slides = family_lecture(look)
        else:
            _check_plots(True)
            task = Task(open_run(root), ask, out)
            title, sections = f"Diffusion, seen in {root.name}", (yield from _explain(task))
            slides = lecture(task)
        yield from write_both(out, title, sections, model.hash, slides if ask.slides else None)


def _explain(look: Task) -> Generator[Event, None, list[Section]]:
    yield Note("explain", f"{len(look.samplers)} samplers with {', '.join(map(str, look.steps))} steps, "
                          f"{len(look.prompts)} images each")  # fmt: skip
    sections = []
    for part in (schedules, noising, denoising, errors, plane, samples):
        sections.append((yield from part(look)))
    return sections


def _check_plots(wanted: bool) -> None:
    if wanted and not available():
        raise ValueError(install("the images need", "matplotlib"))


def schedules(look: Task) -> Part:
    """All schedules in one figure."""
    own = curve(f"this run: {type(look.schedule).__name__}", look.schedule, look.clean)
    others = [curve(n, s, look.clean) for n, s in STANDARDS.items() if s != look.schedule]
    how = look.run.subject.sampling
    path = look.out / "schedules.png"
    schedule_plot(own, others, levels_of(how, look.schedule, how.steps)[:-1], path)
    yield ImageSaved("schedules", path)
    return page.schedules(path, look.schedule, [own, *others])


def noising(look: Task) -> Part:
    """Forward, in one jump and step by step."""
    table = look.schedule if isinstance(look.schedule, BetaTable) else LinearBeta()
    path = look.out / "noising.png"
    noising_strip(look.clean, path, table, look.ask.seed, look.shown)
    yield ImageSaved("noising", path)
    return page.noising(path, table, own=table is look.schedule, space=look.run.subject.space)


def denoising(look: Task) -> Part:
    """Reverse, with the run's own sampling."""
    how, path = look.run.subject.sampling, look.out / "denoising.png"
    steps, start = [], time.monotonic()
    for step in look.run.subject.steps(look.prompts[:1], [look.ask.seed], Settings()):
        steps.append(step)
        yield working("denoising", f"step {len(steps):,} of {how.steps:,}", len(steps), how.steps, start)
    denoising_strip(steps, path)
    yield ImageSaved("denoising", path)
    return page.denoising(path, how, look.prompts[0], look.run.subject.space)


def errors(look: Task) -> Part:
    """The loss by noise level, as a plot and as JSON."""
    subject, x0 = look.run.subject, look.clean.to(look.run.device)
    cond = subject.condition(look.run.rows[: len(x0)].tolist())
    noise = Noise.shared(look.ask.seed, "levels", device=look.run.device)
    found = error_by_level(subject.diffusion, x0, cond, spread_levels(look.schedule), noise)
    about = {"pictures": len(x0), "which": look.run.note.strip(" ()"), "levels": [asdict(e) for e in found]}
    write_atomic(look.out / "levels.json", to_json(about))
    path = look.out / "levels.png"
    trained = look.schedule(torch.tensor([0.95, 0.05])).tolist()
    level_plot([e.log_snr for e in found], _panels(look, found), (trained[0], trained[1]), path)
    yield ImageSaved("levels", path)
    return page.errors(path, subject.diffusion, len(x0), look.run.note)


def _panels(look: Task, found: Sequence[LevelError]) -> list[Errors]:
    mean = look.clean.mean(0)
    spread = (look.clean - mean).square().mean().item()
    levels = torch.tensor([e.log_snr for e in found])
    in_eps = spread * levels.exp()
    weighted = in_eps * look.run.subject.diffusion.config.weighting.weight_of_sample(levels, look.schedule)
    blind = [torch.full_like(levels, spread), in_eps, weighted]
    of_eps = r"|\epsilon - \hat{\epsilon}|^2$"
    heads = [r"$|x_0 - \hat{x}_0|^2$", f"${of_eps}", rf"training loss, $w(l)\,{of_eps}"]
    kinds = [[e.x0 for e in found], [e.eps for e in found], [e.loss for e in found]]
    return [
        Errors(head, [m.mean for m in kind], [m.error for m in kind], guess.tolist())
        for head, kind, guess in zip(heads, kinds, blind, strict=True)
    ]


def plane(look: Task) -> Part:
    """Two moons: forward, and back by several samplers with the exact and with a learned denoiser."""
    config = toy.ToyConfig(seed=look.ask.seed)
    paths = [look.out / name for name in ("plane-forward.png", "plane-samplers.png", "plane.gif")]
    forward_plot(toy.scenes(config, 1500, 6), paths[0])
    yield ImageSaved("plane", paths[0])
    denoisers = {"exact denoiser": toy.best_possible(config), "learned denoiser": (yield from toy.learn(config))}
    named = {name: NAMES[name] for name in IN_THE_PLANE}
    flows = [toy.flow(config, r, d, c, s) for r, d in denoisers.items() for c, s in named.items()]
    flow_plot(flows, config.data(), paths[1])
    yield ImageSaved("plane", paths[1])
    flow_animation(
        flows, config.data(), toy.scenes(config, config.samples, config.scenes), _heads(config, flows[0]), paths[2]
    )
    yield ImageSaved("plane", paths[2])
    return page.plane(paths, config, named)


def _heads(config: toy.ToyConfig, flow: Trajectories) -> list[str]:
    levels = [f"log-SNR {level:+.1f}" for level in config.levels()[:-1].tolist()] + ["clean"]
    return [f"denoising, step {k} of {len(flow.paths) - 1}: {level}" for k, level in enumerate(levels)]


def samples(look: Task) -> Part:
    """A row a sampler, a column a number of steps; every cell from the same noise."""
    total, done, start = len(look.samplers) * sum(look.steps), 0, time.monotonic()
    seeds, cells = [look.ask.seed + i for i in range(len(look.prompts))], []
    for name in look.samplers:
        cells.append([])
        for steps in look.steps:
            way = look.run.subject.steps(look.prompts, seeds, Settings(steps=steps, sampler=name))
            x = torch.empty(0)
            for i, step in enumerate(way, 1):
                x = step.x
                yield working("samples", f"{name}, step {i:,} of {steps:,}", done + i, total, start)
            cells[-1].append(tile(to_pictures(x.cpu())))
            done += steps
    path = look.out / "samples.png"
    save_sheet(cells, [f"{steps:,} steps" for steps in look.steps], list(look.samplers), path, CELL)
    yield ImageSaved("samples", path)
    return page.samples(path, look.samplers, look.prompts)
