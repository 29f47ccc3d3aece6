"""A run's tokenizer as a `transformers` tokenizer, and one of theirs as a run's.

Both libraries find a caption's end by its number: open_clip takes the largest of a row, transformers reads the number
2 as "take the largest", too. Here the end has number 2, so the tokens are counted anew: <start> and <end> come last,
as in CLIP.
"""

import json
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Regex, decoders, models, normalizers, pre_tokenizers
from tokenizers import Tokenizer as Backend

from unclip.core.config.ranges import quote
from unclip.core.config.tables import is_table, read_json
from unclip.core.shown import printable
from unclip.core.typing import Float, Tensor
from unclip.interop.weights import write_settings
from unclip.text.tokenizer import END, START, Tokenizer

FILE, SETTINGS = "tokenizer.json", "tokenizer_config.json"


def order(words: Tokenizer) -> list[int]:
    """Our number of each token, in their order."""
    ends = (words.start, words.end)
    return [*(i for i in range(words.size) if i not in ends), *ends]


def renumbered(table: Float[Tensor, "tokens width"], words: Tokenizer) -> Float[Tensor, "tokens width"]:
    """A table with a row a token, [tokens, width], in their order."""
    return table[order(words)]


def write(words: Tokenizer, folder: Path) -> None:
    """Writes tokenizer.json and its settings; a caption becomes <start> ... <end>, cut at the context."""
    (folder / FILE).write_text(json.dumps(whole(words), ensure_ascii=False, indent=1), encoding="utf-8")
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": words.name(words.start),
        "eos_token": words.name(words.end),
        "pad_token": words.name(words.pad),
        "model_max_length": words.context,
        "clean_up_tokenization_spaces": False,
    }
    write_settings(settings, folder / SETTINGS)


def whole(words: Tokenizer) -> dict[str, Any]:
    """The tokenizer with their numbers and with what lays a caption between its ends."""
    number = {ours: theirs for theirs, ours in enumerate(order(words))}
    table = json.loads(words.backend.to_str())
    table["model"]["vocab"] = {word: number[ours] for word, ours in table["model"]["vocab"].items()}
    for token in table["added_tokens"]:
        token["id"] = number[token["id"]]
    table["added_tokens"].sort(key=lambda token: token["id"])
    start, end = words.name(words.start), words.name(words.end)
    special = {
        name: {"id": name, "ids": [number[ours]], "tokens": [name]}
        for name, ours in ((start, words.start), (end, words.end))
    }
    one = [{"SpecialToken": {"id": start, "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
           {"SpecialToken": {"id": end, "type_id": 0}}]  # fmt: skip
    two = [*one, {"Sequence": {"id": "B", "type_id": 0}}]
    table["post_processor"] = {"type": "TemplateProcessing", "single": one, "pair": two, "special_tokens": special}
    return table


SPLIT = r"""<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"""
"""How CLIP's own tokenizer parts words (Radford et al. 2021, code)."""


def read(folder: Path, context: int) -> Tokenizer:
    """The tokenizer of a folder of transformers or open_clip, its ends called as ours are.

    Raises ValueError that says which files are looked for.
    """
    start, end, pad = _special(folder)
    if (folder / FILE).is_file():
        table = read_json(folder / FILE, "a tokenizer")
    elif (folder / "vocab.json").is_file() and (folder / "merges.txt").is_file():
        table = json.loads(_of_clip(folder, end).to_str())
    else:
        raise ValueError(
            f"{folder}: holds no tokenizer; copy the one that the model learned with into it: {FILE}, or vocab.json "
            "and merges.txt (open_clip's models without one of their own have that of openai/clip-vit-base-patch32)"
        )
    try:
        backend = Backend.from_str(json.dumps(_renamed(table, {start: START, end: END}, pad)))
        if pad not in (start, end) and backend.token_to_id(pad) is not None:
            backend.add_tokens([AddedToken(pad, normalized=False)])
        return Tokenizer(backend, context)
    except Exception as error:
        raise ValueError(
            f"{folder / FILE}: not a tokenizer that ends a caption by {end} ({printable(error)})"
        ) from error


def padding(folder: Path, words: Tokenizer) -> int:
    """The token with which transformers fills captions of this folder's tokenizer up to their longest length.

    Raises ValueError where the folder names another length than `words.context`, or a token that is not there.
    """
    start, end, pad = _special(folder)
    longest = _settings(folder).get("model_max_length", words.context)
    if longest != words.context:
        raise ValueError(
            f"{folder / SETTINGS}: model_max_length = {quote(longest)}: the text tower beside it reads {words.context} "
            "tokens; the two are not of the same model"
        )
    number = words.backend.token_to_id({start: START, end: END}.get(pad, pad))
    if number is None:
        raise ValueError(f"{folder / SETTINGS}: pad_token = {quote(pad)}: its tokenizer has no such token")
    return number


def _settings(folder: Path) -> dict[str, Any]:
    found = {}
    for name in ("special_tokens_map.json", SETTINGS):
        if (folder / name).is_file():
            found |= read_json(folder / name, "the settings of a tokenizer")
    return found


def _special(folder: Path) -> tuple[str, str, str]:
    """How the folder writes the ends of a caption, and what fills it up."""
    found = _settings(folder)
    said = [found.get(key) for key in ("bos_token", "eos_token", "pad_token")]
    start, end, pad = (token.get("content") if is_table(token) else token for token in said)
    end = end or "<|endoftext|>"
    return start or "<|startoftext|>", end, pad or end


def _renamed(table: dict[str, Any], names: dict[str, str], pad: str) -> dict[str, Any]:
    """The same with other names of tokens, and nothing that puts ends, padding or cuts around a caption.

    pad: what fills a caption up. Where that is a word ("!" in Stable Diffusion 2), captions that hold it mean it.
    """
    model = table["model"]
    vocabulary = {names.get(word, word): number for word, number in model["vocab"].items()}
    tokens = [{**token, "content": names.get(token["content"], token["content"])} for token in table["added_tokens"]]
    tokens = [{**token, "special": token["special"] and token["content"] != pad} for token in tokens]
    unknown = model.get("unk_token")
    model = {**model, "vocab": vocabulary, "unk_token": names.get(unknown, unknown) if unknown else None}
    bare = {"post_processor": None, "truncation": None, "padding": None}
    return {**table, **bare, "model": model, "added_tokens": tokens}


def _of_clip(folder: Path, end: str) -> Backend:
    """CLIP's own tokenizer, of its words and its merges."""
    words = read_json(folder / "vocab.json", "the words of a tokenizer")
    lines = (folder / "merges.txt").read_text(encoding="utf-8").splitlines()
    pairs = [line.split(maxsplit=1) for line in lines if line.strip() and not line.startswith("#version")]
    merges = [(first, second) for first, second in pairs]
    backend = Backend(models.BPE(words, merges, end_of_word_suffix="</w>", unk_token=end))
    backend.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    parted = pre_tokenizers.Split(Regex(SPLIT), behavior="removed", invert=True)
    backend.pre_tokenizer = pre_tokenizers.Sequence([parted, pre_tokenizers.ByteLevel(add_prefix_space=False)])
    backend.decoder = decoders.ByteLevel()
    return backend
