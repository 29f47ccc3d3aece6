"""How a stage was trained, from its log, its checkpoint and its weights: rate, steps, average, and whose weights."""

from collections.abc import Iterator, Mapping

import torch

from unclip.core.typing import Tensor
from unclip.studies.diagnose.check import Check, Fault, above, compared, unknown, worst
from unclip.studies.diagnose.subject import Line, Subject

SEEN = 20
"""So many steps show whether a loss falls at all."""
FEW = 100
"""Fewer steps than this teach a stage nothing, whatever its rate."""
MOVED = 0.1
"""Sound weights end farther from where they began than this share of their length: 0.2 to 1.6 in our runs."""
STEEP = (0.12, 0.2)
"""Share of the loss's whole fall that came in the second half. Sound: 0.01 to 0.07; emoji DDPM, 2 minutes: 0.15."""
LAG = (1.25, 1.6)
"""Loss of the averaged weights as a multiple of the raw weights'. Sound: 0.9 to 1.05."""
OTHERS = {"prior": "it is the prior of another CLIP"}
"""What weights are called that do not fit the log, where that has a name."""
OTHER = (1.5, 2.5)
"""Loss of the stored weights as a multiple of what the log ends with. Sound: 0.9 to 1.3."""


def training_checks(run: Subject, name: str) -> Iterator[Check]:
    """Rate, number of steps, average and weights of one stage."""
    lines = run.log(name)
    losses = torch.tensor([line["loss"] for line in lines if isinstance(line.get("loss"), float)])
    if len(losses) < 2:
        yield unknown(name, "log", f"{run.run.logs / name}.jsonl: no steps in it: the stage was not trained here")
        return
    if len(lines) >= SEEN:
        too_high = rate_too_high(run, name, lines, losses)
        yield too_high
        if too_high.verdict == "broken":
            return
    if len(lines) < FEW:
        yield steps(run, name, losses)
    else:
        too_low = rate_too_low(run, name, losses)
        yield too_low
        if too_low.verdict != "broken":
            yield steps(run, name, losses)
    yield average(run, name)
    yield stored(run, name, losses)


def part(losses: Tensor, begin: float, end: float) -> float:
    """Mean loss between two shares of the training."""
    first = int(begin * len(losses))
    return losses[first : max(first + 1, int(end * len(losses)))].mean().item()


def rates(run: Subject, name: str, factor: float) -> list[str]:
    """The settings of the rates, so many times as large."""
    optim = run.config.recipes[name].train.optim
    values = {"lr": optim.lr, "muon_lr": optim.muon_lr}
    return [f"{name}.train.optim.{key}={value * factor:.3g}" for key, value in values.items() if value]


def rate_too_high(run: Subject, name: str, lines: list[Line], losses: Tensor) -> Check:
    """Skipped steps, and a loss that does not fall: it ends near where it began, or above its lowest."""
    skipped = sum(line.get("loss") is None or line.get("grad_norm") is None for line in lines) / len(lines)
    tenths = [part(losses, i / 10, (i + 1) / 10) for i in range(10)]
    ratio = tenths[-1] / max(min(tenths), 1e-9)
    norms = [line["grad_norm"] for line in lines if line.get("grad_norm") is not None]
    middle = torch.tensor(norms).median().item() if norms else float("nan")
    figure = f"{skipped:.1%} of the steps skipped; loss ends at {ratio:.2f} times its lowest; gradients {middle:.2g}"
    rough = worst(above(skipped, 0.001, 0.05), above(ratio, 1.2, 1.5))
    if rough == "good" and tenths[-1] > max(tenths[0], losses[0].item()):
        rough = "broken"
    fault = Fault(
        "its learning rate is too high",
        "Steps are so large that the loss jumps instead of falling.",
        run.again(*rates(run, name, 0.1)),
    )
    return compared(name, "rate not too high", (figure, "none skipped, below 1.2"), rough, fault)


def rate_too_low(run: Subject, name: str, losses: Tensor) -> Check:
    """How far the weights have come from those of the seed."""
    try:
        stage = run.stage(name)
        before, after = stage.kept(stage.module).state_dict(), raw_weights(run, name)
        moved = distance(before, after)
    except ValueError as error:
        return unknown(name, "rate not too low", error)
    fell = 1 - part(losses, 0.9, 1.0) / losses[0].item()
    figure = f"weights moved by {moved:.3f} of their length in {len(losses):,} steps; loss fell by {fell:.0%}"
    fault = Fault(
        "its learning rate is too low",
        "The weights are almost those that training began with, after enough steps to move them.",
        run.again(*rates(run, name, 100.0)),
    )
    verdict = "broken" if moved < MOVED and fell < 0.8 else "good"
    return compared(name, "rate not too low", (figure, f"above {MOVED}"), verdict, fault)


def raw_weights(run: Subject, name: str) -> dict[str, Tensor]:
    """Those of the checkpoint, which no average holds back; else those that are stored."""
    try:
        raw = run.checkpoint(name)[0]
    except ValueError:
        return run.weights(name)
    wanted = run.weights(name)
    return raw if raw.keys() == wanted.keys() else wanted


def distance(a: Mapping[str, Tensor], b: Mapping[str, Tensor]) -> float:
    """|a - b| / |a| over all weights of two or more dimensions that both have; statistics and biases do not count."""
    names = [k for k, v in a.items() if v.is_floating_point() and v.dim() > 1 and k in b and b[k].shape == v.shape]
    apart = sum((a[k].cpu() - b[k].cpu()).double().square().sum().item() for k in names)
    return (apart / max(1e-12, sum(a[k].double().square().sum().item() for k in names))) ** 0.5


def steps(run: Subject, name: str, losses: Tensor) -> Check:
    """Whether the loss was still falling steeply where training ended."""
    end = part(losses, 0.9, 1.0)
    fall = losses[0].item() - end
    steep = (part(losses, 0.4, 0.5) - end) / fall if fall > 0 else float("nan")
    batch = run.config.recipes[name].train.batch
    passes = f", {len(losses) * batch / run.images:.1f} passes an image" if run.images else ""
    figure = f"{len(losses):,} steps{passes}; {steep:.0%} of the loss's fall in the second half"
    verdict = "broken" if len(losses) < FEW else above(steep, *STEEP) if fall > 0 else "unknown"
    fault = Fault(
        "it was trained for too few steps",
        "The loss was still falling steeply when the time was over.",
        run.say("train", "DATA", "--out", run.run.root, "--more", "30m"),
    )
    expected = f"{FEW} steps at the least, below {STEEP[0]:.0%}"
    return compared(name, "enough steps", (figure, expected), verdict, fault)


def average(run: Subject, name: str) -> Check:
    """Loss of the averaged weights beside that of the weights they follow, both of the last checkpoint."""
    try:
        raw, mean = run.checkpoint(name)
        if raw.keys() != run.weights(name).keys():
            return unknown(name, "average", "its checkpoint holds more than the model")
        own, averaged = run.loss(name, raw), run.loss(name, mean)
    except ValueError as error:
        return unknown(name, "average", error)
    figure = f"loss {averaged:.3g} averaged, {own:.3g} raw: {averaged / own:.2f} times"
    fault = Fault(
        "the average of its weights lags behind",
        "What is drawn with is an average that still holds the first weights; the raw ones are better.",
        run.again(f"{name}.train.ema_decay=0"),
    )
    return compared(name, "average", (figure, f"below {LAG[0]}"), above(averaged / own, *LAG), fault)


def stored(run: Subject, name: str, losses: Tensor) -> Check:
    """Whether the stored weights are those that the log and the checkpoint tell of."""
    try:
        weights = run.weights(name)
        found = run.loss(name, weights)
        mean = run.checkpoint(name)[1] if run.run.checkpoint(name)[0].exists() else {}
    except ValueError as error:
        return unknown(name, "weights", error)
    end = part(losses, 0.9, 1.0)
    same = bool(mean) and mean.keys() == weights.keys() and distance(mean, weights) < 0.3
    figure = f"loss {found:.3g} with the stored weights, the log ends at {end:.3g}"
    verdict = "good" if same else above(found / end, *OTHER)
    began = distance(run.stage(name).kept(run.stage(name).module).state_dict(), weights)
    replaced = found > 0.8 * losses[0].item() or began < MOVED
    fault = Fault(
        "it was never trained"
        if replaced and name != "prior"
        else OTHERS.get(name, "its weights are those of another run"),
        f"The weights in {name}/ are not those that its log tells of.",
        run.say("train", "DATA", "--out", run.run.root),
    )
    return compared(name, "weights", (figure, f"below {OTHER[0]} times"), verdict, fault)
