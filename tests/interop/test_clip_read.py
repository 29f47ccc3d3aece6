"""A CLIP of transformers or open_clip, read here, embeds what it embeds there: own tokenizer, own preprocessing."""

import json
import os
import shutil
from pathlib import Path

import pytest
import torch
from tests.fakes import built, draw
from tests.interop.clips import CAPTIONS, LONG, clip, tokenizer
from tests.interop.test_clip_folder import IMAGES, normal, open_clip

os.environ.setdefault("HF_HUB_OFFLINE", "1")
transformers = pytest.importorskip("transformers")

from tokenizers import pre_tokenizers  # noqa: E402

from unclip.interop.clip import folder  # noqa: E402
from unclip.interop.clip.read import read  # noqa: E402

TEXTS = [*CAPTIONS, LONG, "  Two   RED\theärts, 2 (two)!  "]
MEAN, STD = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]


def words_of_clip(place: Path) -> None:
    """CLIP's own kind of tokenizer, with the words of an alphabet and a few merges."""
    letters = pre_tokenizers.ByteLevel.alphabet()
    merges = [("h", "e"), ("r", "e"), ("re", "d</w>"), ("t", "w"), ("tw", "o</w>")]
    alphabet = [*sorted(letters), *(f"{letter}</w>" for letter in sorted(letters)), *("".join(pair) for pair in merges)]
    vocabulary = {word: i for i, word in enumerate([*alphabet, "<|startoftext|>", "<|endoftext|>"])}
    place.mkdir(parents=True, exist_ok=True)
    (place / "vocab.json").write_text(json.dumps(vocabulary), encoding="utf-8")
    lines = ["#version: 0.2", *(" ".join(pair) for pair in merges)]
    (place / "merges.txt").write_text("\n".join(lines), encoding="utf-8")


def saved(place: Path, act: str = "quick_gelu", **vision: object) -> Path:
    """A folder as transformers writes it: model, tokenizer, preprocessing."""
    words_of_clip(place)
    words = transformers.CLIPTokenizer.from_pretrained(place, model_max_length=24)
    same = {"num_hidden_layers": 2, "num_attention_heads": 4, "hidden_act": act}
    text = {"vocab_size": len(words), "max_position_embeddings": 24, "hidden_size": 24, "intermediate_size": 96}
    ends = {"eos_token_id": words.eos_token_id, "bos_token_id": words.bos_token_id, "pad_token_id": words.pad_token_id}
    tower = {"image_size": 16, "patch_size": 8, "hidden_size": 32, "intermediate_size": 128, **vision}
    config = transformers.CLIPConfig(
        text_config={**same, **text, **ends}, vision_config={**same, **tower}, projection_dim=20
    )
    model = built(lambda: transformers.CLIPModel(config)).eval()
    with torch.no_grad():
        for i, parameter in enumerate(model.parameters()):
            parameter.add_(0.1 * draw(*parameter.shape, key=i))
    model.save_pretrained(place)
    words.save_pretrained(place)
    transformers.CLIPImageProcessorPil(size={"shortest_edge": 16}, crop_size=16).save_pretrained(place)
    return place


def prepared(images: torch.Tensor) -> torch.Tensor:
    """[-1, 1] as CLIP's own preprocessing has it."""
    mean, std = (torch.tensor(v)[:, None, None] for v in (MEAN, STD))
    return (images / 2 + 0.5 - mean) / std


@pytest.mark.parametrize("act", ["quick_gelu", "gelu"])
@pytest.mark.parametrize("files", ["tokenizer.json", "vocab.json"])
@torch.no_grad()
def test_transformers(act: str, files: str, tmp_path: Path):
    place = saved(tmp_path, act)
    theirs = transformers.CLIPModel.from_pretrained(place).eval()
    asked = transformers.CLIPTokenizer.from_pretrained(place)(
        TEXTS, return_tensors="pt", padding=True, truncation=True, max_length=24
    )
    if files == "vocab.json":
        (place / "tokenizer.json").unlink()
        words_of_clip(place)
    model, words = read(place)
    ids, mask = words(TEXTS)
    assert torch.equal(ids[mask], asked.input_ids[asked.attention_mask.bool()])
    out = theirs(**asked, pixel_values=prepared(IMAGES))
    assert (model.embed_images(IMAGES) - normal(out.image_embeds)).abs().max() < 1e-5
    assert (model.embed_text(ids, mask)[0] - normal(out.text_embeds)).abs().max() < 1e-5
    assert words.decode(words(["two red hearts"])[0][0].tolist()) == "two red hearts"


@torch.no_grad()
def test_open_clip(tmp_path: Path):
    library = open_clip()
    words_of_clip(tmp_path)
    written = transformers.CLIPTokenizer.from_pretrained(tmp_path, model_max_length=24)
    written.save_pretrained(tmp_path)
    model_cfg = {
        "embed_dim": 20,
        "vision_cfg": {"image_size": 16, "patch_size": 8, "width": 32, "layers": 2, "head_width": 16},
        "text_cfg": {"context_length": 24, "vocab_size": len(written), "width": 24, "heads": 4, "layers": 2,
                     "hf_tokenizer_name": "x"},
    }  # fmt: skip
    theirs = built(lambda: library.CLIP(**model_cfg)).eval()
    for i, parameter in enumerate(theirs.parameters()):
        parameter.add_(0.1 * draw(*parameter.shape, key=i))
    from unclip.interop import weights

    weights.write(theirs.state_dict(), tmp_path / "open_clip_model.safetensors")
    config = {"model_cfg": model_cfg, "preprocess_cfg": {"mean": MEAN, "std": STD}}
    (tmp_path / "open_clip_config.json").write_text(json.dumps(config), encoding="utf-8")
    model, words = read(tmp_path)
    texts = [" ".join(text.split()) for text in TEXTS]
    ids = library.get_tokenizer(f"local-dir:{tmp_path}")(texts)
    assert (model.embed_images(IMAGES) - theirs.encode_image(prepared(IMAGES), normalize=True)).abs().max() < 1e-5
    assert (model.embed_text(*words(texts))[0] - theirs.encode_text(ids, normalize=True)).abs().max() < 1e-5


@torch.no_grad()
@pytest.mark.parametrize("library", ["transformers", "open_clip"])
def test_out_again_and_in_again(library: str, tmp_path: Path):
    words = tokenizer()
    before = clip(words, "gelu", "sigmoid")
    folder.write(before, words, tmp_path)
    if library == "open_clip":
        (tmp_path / "config.json").unlink()
    after, again = read(tmp_path)
    assert (after.embed_images(IMAGES) - before.embed_images(IMAGES)).abs().max() < 1e-6
    pair = [model.embed_text(*own(TEXTS))[0] for model, own in ((before, words), (after, again))]
    assert (pair[0] - pair[1]).abs().max() < 1e-6
    assert after.config.form == ("sigmoid" if library == "open_clip" else "softmax")


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved(tmp_path_factory.mktemp("clip"))


def changed(place: Path, **changes: object) -> None:
    table = json.loads((place / "config.json").read_text(encoding="utf-8"))
    for name, value in changes.items():
        part, _, key = name.partition("__")
        table[part] = {**table[part], key: value} if key else value
    (place / "config.json").write_text(json.dumps(table), encoding="utf-8")


@pytest.mark.parametrize(
    "changes, why",
    [
        ({"model_type": "siglip"}, "model_type = 'siglip'; a CLIP says 'clip'"),
        ({"vision_config__hidden_act": "relu"}, "hidden_act = 'relu': unclip's CLIP has quick_gelu or gelu"),
        ({"text_config__intermediate_size": 99}, "intermediate_size and layer_norm_eps"),
        ({"text_config__num_hidden_layers": 3}, "holds no text_model.encoder.layers.2"),
        ({"text_config__num_hidden_layers": 1}, "text_model.encoder.layers.1.* has no place"),
        (
            {"projection_dim": 24},
            r"the weights for text_projection.weight are \(20, 24\), and its config means \(24, 24\)",
        ),
        ({"vision_config": None}, "vision_config = None: expected a table"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_another_architecture_is_named(plain: Path, tmp_path: Path, changes: dict, why: str):
    place = Path(shutil.copytree(plain, tmp_path / "clip"))
    changed(place, **changes)
    with pytest.raises(ValueError, match=why):
        read(place)


def test_a_missing_tokenizer_and_pickles_are_refused(plain: Path, tmp_path: Path):
    place = Path(shutil.copytree(plain, tmp_path / "clip"))
    for name in ("tokenizer.json", "vocab.json", "merges.txt"):
        (place / name).unlink(missing_ok=True)
    with pytest.raises(
        ValueError, match=r"holds no tokenizer; copy the one .*: tokenizer.json, or vocab.json and merges.txt"
    ):
        read(place)
    (place / "model.safetensors").rename(place / "pytorch_model.bin")
    with pytest.raises(ValueError, match="pytorch_model.bin: a pickle, .* safetensors"):
        read(place)
    with pytest.raises(ValueError, match="config.json: not the settings of a CLIP"):
        read(tmp_path / "nowhere")
