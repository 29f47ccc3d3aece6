"""Options of diffusers' training scripts at `unclip train`, each put as unclip calls it, and told in a line."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from unclip.core.shown import shell_command

STAGES = {"unclip": "decoder", **{name: name for name in ("latent", "ddpm", "vae", "flow", "gan")}}
"""Model -> the stage that draws, whose training these options are taken to mean."""
SETTINGS = {
    "--train_batch_size": "train.batch",
    "--max_train_steps": "train.steps",
    "--learning_rate": "train.optim.lr",
}
"""Of that stage."""
OPTIONS = {"--output_dir": "--out", "--resolution": "--size", "--mixed_precision": "--precision"}
PRECISIONS = {"no": "float32", "bf16": "bfloat16", "fp16": "bfloat16"}
"""Their words for it; training in float16 is nothing that unclip does."""
DATA = "--train_data_dir"
RESUME = "--resume_from_checkpoint"
FLAGS = {
    "--center_crop": "images are cropped to their centre square, unless --fit pad is said",
    "--random_flip": "a ddpm trains on mirrored images where the data allow it (--set ddpm.flip=false: never)",
}


@dataclass(frozen=True)
class Put:
    """words: as unclip takes them; note: what is told. first: whether they stand before all options."""

    words: tuple[str, ...]
    note: str
    first: bool = False


def translated(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """The words of a command without options of others, and a line on each that was put otherwise."""
    if list(words[:1]) != ["train"]:
        return list(words), []
    found = list(_each(list(words[1:]), _stage(words)))
    first = [word for put in found if put.first for word in put.words]
    rest = [word for put in found if not put.first for word in put.words]
    return ["train", *first, *rest], [put.note for put in found if put.note]


def _each(words: list[str], stage: str) -> Iterator[Put]:
    while words:
        word = words.pop(0)
        name, sign, value = word.partition("=")
        if name in FLAGS:
            yield Put((), f"{name} is left out here: {FLAGS[name]}")
        elif name in (*SETTINGS, *OPTIONS, DATA, RESUME) and (sign or words):
            yield _put(name, value if sign else words.pop(0), stage)
        else:
            yield Put((word,), "")


def _put(name: str, value: str, stage: str) -> Put:
    if name == DATA:
        return Put(
            (value,), f"{name} {value} is the first word here: {shell_command('unclip', 'train', value)}", first=True
        )
    if name == RESUME:
        return Put((), f"{name} is left out here: the same command with the same --out continues")
    if name in SETTINGS:
        setting = f"{stage}.{SETTINGS[name]}={value}"
        return Put(("--set", setting), f"{name} is called --set {setting} here, of the stage that draws")
    said = PRECISIONS.get(value, value) if name == "--mixed_precision" else value
    return Put((OPTIONS[name], said), f"{name} {value} is called {OPTIONS[name]} {said} here")


def _stage(words: Sequence[str]) -> str:
    """The stage that draws, of the model that is asked for."""
    said = dict(zip(words, [*words[1:], ""], strict=True)) | dict(word.split("=", 1) for word in words if "=" in word)
    model = said.get("--model") or said.get("--preset", "").partition("-")[0]
    return STAGES.get(model, STAGES["unclip"])
