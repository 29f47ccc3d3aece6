"""What made an image in the line that other tools read: the PNG text `parameters` of the A1111 web UI.

a red heart
Negative prompt: blue
Steps: 50, Sampler: DDIM, CFG scale: 3, Seed: 7, Size: 64x64, Model hash: 0123456789, Version: unclip 0.2.0
"""

from collections.abc import Iterator, Mapping
from typing import Any

from unclip.core.config.tables import is_table
from unclip.diffusion.samplers.base import Sampler
from unclip.diffusion.samplers.named import name_of

PARAMETERS = "parameters"
"""The name of that text."""
THEIRS = {
    "ddpm": "DDPM",
    "ancestral": "Euler a",  # k-diffusion's name of the same step
    "ddim": "DDIM",
    "euler": "Euler",
    "heun": "Heun",
    "lms": "LMS",
    "unipc": "UniPC",
    "dpmpp-2m": "DPM++ 2M",
    "dpmpp-2m-sde": "DPM++ 2M SDE",
    "dpmpp-3m-sde": "DPM++ 3M SDE",
}
"""Our names of samplers -> theirs, where both mean the same; others are called as here."""
DIGITS = 10
"""Of a model's hash."""


def parameters(about: object, width: int, height: int) -> str | None:
    """The text for an image that says this of itself; None where it was not drawn from a prompt and a seed."""
    sampling = about.get("sampling") if is_table(about) else None
    if not is_table(about) or not is_table(sampling) or not isinstance(about.get("prompt"), str) or "seed" not in about:
        return None
    guidance = sampling.get("guidance", {})
    lines = [about["prompt"]]
    if guidance.get("kind") == "NegativePrompt":
        lines.append(f"Negative prompt: {guidance['prompt']}")
        guidance = guidance["of"]
    facts = dict(_facts(about, sampling, guidance), Size=f"{width}x{height}", **dict(_model(about)))
    return "\n".join([*lines, ", ".join(f"{name}: {value}" for name, value in facts.items())])


def _facts(
    about: Mapping[str, Any], sampling: dict[str, Any], guidance: dict[str, Any]
) -> Iterator[tuple[str, object]]:
    yield "Steps", sampling.get("steps")
    yield "Sampler", _sampler(sampling.get("sampler"))
    if "scale" in guidance:
        yield "CFG scale", f"{guidance['scale']:g}"
    yield "Seed", about["seed"]


def _model(about: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    yield "Model hash", str(about.get("model", ""))[:DIGITS]
    yield "Version", f"unclip {about.get('unclip', '')}"


def _sampler(table: Any) -> str:
    """By its name where it has one, else by its class."""
    if not is_table(table):
        return "unknown"
    name = name_of(Sampler.from_dict(table))
    return str(table.get("kind")) if name is None else THEIRS.get(name, name)
