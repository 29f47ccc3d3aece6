"""The model card: README.md with a head in YAML, as the Hub reads it; every figure is one that the run holds."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from unclip.core.config.duration import words
from unclip.core.config.tables import is_table, read_json, read_toml
from unclip.core.shown import printable, shell_command
from unclip.data.prepare.read import read_about
from unclip.figures.score_rows import rows
from unclip.generation.classed import ClassModel
from unclip.generation.load import PIPELINES
from unclip.runs.folder import SEAL, RunFolder
from unclip.runs.modules import model_hash

SAMPLES = "samples.png"
KNOWN = re.compile(r"[a-z0-9][a-z0-9.-]*")
"""How the Hub writes a licence that it knows: apache-2.0."""
UNKNOWN = "unknown"
KINDS = {
    "unclip": "a text-to-image model in the form of DALL-E 2 (unCLIP): CLIP, a prior and a diffusion decoder",
    "latent": "a text-to-image model in the form of latent diffusion: CLIP, an autoencoder, a diffusion of its codes",
    "ddpm": "a plain diffusion model of images (DDPM)",
    "vae": "a variational autoencoder of images (VAE)",
    "flow": "a normalizing flow of images",
    "gan": "a generative adversarial network (GAN)",
}
LEFT_OUT = ("kind", "unclip", "model", "size", "seed", "budget", "stages", "added", "start", "start_hash")
PLACES = ("given",)
"""Settings that stand elsewhere in the card; the last parts of those that name a place on the machine that trained."""


@dataclass(frozen=True)
class About:
    """What a person says of a model, and what it draws for the card.

    Args:
        repo: "OWNER/NAME".
        licence: of the weights; "": not said.
        data: the images that it was trained on, their source and licence, in a sentence.
        prompts: what the samples show; none for a model without words.
    """

    repo: str
    licence: str = ""
    data: str = ""
    prompts: tuple[str, ...] = ()


def card(run: RunFolder, about: About) -> str:
    """The whole of README.md. Raises ValueError for a damaged run."""
    settings, state = read_toml(run.settings, "the settings of a run"), run.state()
    parts = [
        _head(run.model, about),
        f"# {about.repo.rpartition('/')[2]}\n",
        _said(run, settings),
        f"![samples]({SAMPLES})\n\n" + _shown(about.prompts),
        "## Use\n\n" + snippet(about),
        "## Data\n\n" + "".join(f"- {line}\n" for line in _data(run, state, about)),
        "## Training\n\n" + _training(run, settings, state),
        *_scores(run),
        "## Memorisation\n\n" + _memorisation(run),
        "## Limits\n\n" + "".join(f"- {line}\n" for line in _limits(run.model, settings)),
    ]
    return "\n".join(parts)


def _said(run: RunFolder, settings: Mapping[str, Any]) -> str:
    start = f"the weights of the model `{settings['start_hash']}`" if settings.get("start_hash") else "random weights"
    return (
        f"Images of {settings['size']} px by {KINDS.get(run.model, run.model)}, trained from {start} with unclip "
        f"{settings.get('unclip', '')}. Model hash `{model_hash(run)}`.\n"
    )


def _head(model: str, about: About) -> str:
    """JSON strings and lists are YAML, too; so no value can become another one."""
    licence = about.licence or UNKNOWN
    named = {"license": licence} if KNOWN.fullmatch(licence) else {"license": "other", "license_name": licence}
    table = {
        "library_name": "unclip",
        "pipeline_tag": "text-to-image" if _reads(model) else "unconditional-image-generation",
        **named,
        "tags": ["unclip", "diffusion", "pytorch", *(["dalle2"] if model == "unclip" else []), model],
    }
    table["tags"] = list(dict.fromkeys(table["tags"]))
    lines = (f"{name}: {json.dumps(value, ensure_ascii=False)}\n" for name, value in table.items())
    return f"---\n{''.join(lines)}---\n"


def _reads(model: str) -> bool:
    """Whether it draws what a caption says."""
    return not issubclass(PIPELINES[model], ClassModel)


def snippet(about: About) -> str:
    """Python that draws with what was uploaded."""
    asked = f"[{about.prompts[0]!r}]" if about.prompts else "n=1"
    return (
        "```\npip install 'unclip[hub]'\n```\n\n"
        "```python\nimport unclip\nfrom huggingface_hub import snapshot_download\n\n"
        f"model = unclip.load(snapshot_download({about.repo!r}))\n"
        f"[image] = model.generate({asked}, seed=0)\n"
        'image.save("image.png")\n```\n'
    )


def _shown(prompts: Sequence[str]) -> str:
    listed = "; ".join(f'"{_plain(prompt)}"' for prompt in prompts)
    return f"Prompts, a row each, seeds from 0: {listed}.\n" if listed else "Seeds from 0.\n"


def _data(run: RunFolder, state: Mapping[str, Any], about: About) -> Iterator[str]:
    yield _plain(about.data) if about.data else "Where the images come from, and under which licence: not said."
    counts = state.get("data", {}).get("metrics", {})
    if "pairs" in counts:
        held = ", ".join(f"{int(counts[name]):,} for {name}" for name in ("validation", "test") if name in counts)
        count = f"{'about ' if 'streamed' in counts else ''}{int(counts['pairs']):,} images"
        yield count + (f", of which are held out {held}" if held else "")
    report = (read_about(run.data) or {}).get("report", {})
    if is_table(report) and report.get("caption_words"):
        least, middle, most = report["caption_words"]
        yield f"{report['distinct_captions']:,} different captions of {least} to {most} words, {middle} in the middle"
    if "tokenizer" in state:
        tokens, most = (int(state["tokenizer"]["metrics"][name]) for name in ("tokens", "context"))
        yield f"a tokenizer of {tokens:,} tokens, trained on the captions; at most {most} a caption"


def _training(run: RunFolder, settings: Mapping[str, Any], state: Mapping[str, Any]) -> str:
    command = shell_command(
        "unclip", "train", "DATA", "--model", run.model, "--size", settings["size"], "--seed", settings["seed"],
        "--budget", words(float(settings["budget"])), "--out", "RUN",
    )  # fmt: skip
    ends = [_stage(name, state[name]) for name in run.networks()]
    heads = ("stage", "parameters", "steps", "time", "its gate")
    plain = {name: value for name, value in settings.items() if name not in LEFT_OUT}
    own = [f"{name} = {_toml(value)}" for name, value in _leaves(plain) if not name.endswith(PLACES)]
    return (
        f"{_table(heads, ends)}\nThe command was like this one, with the settings below (all of them: `run.toml`):\n\n"
        f"    {command}\n\n<details><summary>settings</summary>\n\n" + "".join(f"    {line}\n" for line in own)
        + "\n</details>\n"
    )  # fmt: skip


def _stage(name: str, record: Mapping[str, Any]) -> Sequence[str]:
    metrics = record["metrics"]
    counts = [f"{int(metrics[key]):,}" if key in metrics else "" for key in ("parameters", "steps")]
    time = words(float(metrics["seconds"])) if "seconds" in metrics else ""
    return [name, *counts, time, f"{'passed' if record['passed'] else 'failed'}: {record['why']}"]


def _evaluations(run: RunFolder) -> Iterator[tuple[str, dict[str, Any]]]:
    """(split, what its scores.json says) of those that are of this model; of one that ships, what box.json keeps."""
    if run.sealed:
        kept = read_json(run.root / SEAL, "what a model in the box is").get("scores", {})
        yield from ((found["split"], found) for found in kept.values() if "split" in found)
    for path in sorted(run.evaluation.glob("*/scores.json")):
        found = read_json(path, "the scores of a run")
        if found.get("model") == model_hash(run) and is_table(found.get("scores")):
            yield path.parent.name, found


def _scores(run: RunFolder) -> Iterator[str]:
    found = dict(_evaluations(run))
    if not found:
        yield "## Scores\n\nNot measured yet: `unclip evaluate --run RUN` does, and the next card holds them.\n"
    for split, table in found.items():
        asked = ("--split", split, "-n", table.get("n", 256), "--seed", table.get("seed", 0))
        command = shell_command("unclip", "evaluate", "--run", "RUN", *asked)
        yield f"## Scores: {split} split\n\n    {command}\n\n" + _table(
            ("score", "figure", "value"), rows(table["scores"])
        )


def _memorisation(run: RunFolder) -> str:
    for split, table in _evaluations(run):
        copies = table["scores"].get("copies")
        if copies:
            return (
                "How near generated images come to training images (near_copies: the share that is nearer than 99 of "
                "100 held-out images are; expected: of a model that copies nothing; p: how likely so many are by "
                "chance):\n\n" + _table(("space", "figure", "value"), rows({f"copies ({split})": copies}))
            )
    return "Not measured: `unclip evaluate --run RUN` compares generated images with those of the training.\n"


def _limits(model: str, settings: Mapping[str, Any]) -> Iterator[str]:
    yield f"It draws images of {settings['size']} px of the kind that it was trained on, and nothing else."
    if _reads(model):
        yield "It knows the words of its captions; others are spelled out in tokens, and mean nothing to it."
    yield "What is one-sided or wrong in its images and captions is so in what it draws."
    yield "It has no filter of its own for what is asked of it, or drawn."


def _table(head: Sequence[str], lines: Iterable[Sequence[object]]) -> str:
    body = [head, ["---"] * len(head), *lines]
    return "".join(f"| {' | '.join(_plain(cell).replace('|', '/') for cell in line)} |\n" for line in body)


def _leaves(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in table.items():
        if is_table(value):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _toml(value: object) -> str:
    return printable(json.dumps(value, ensure_ascii=False, default=str), 300)


def _plain(text: object) -> str:
    """In one line, and no Markdown of its own."""
    return re.sub(r"([\[\]<>`*_])", r"\\\1", printable(text, 600))
