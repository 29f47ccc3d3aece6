"""A run's tokenizer as a `transformers` tokenizer, and one of theirs as a run's.

Both libraries find a caption's end by its number: open_clip takes the largest of a row, transformers reads the number
2 as "take the largest", too. Here the end has number 2, so the tokens are counted anew: <start> and <end> come last,
as in CLIP.
"""

import json
from pathlib import Path
from typing import Any

from unclip.core.typing import Float, Tensor
from unclip.text.tokenizer import Tokenizer

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
    (folder / SETTINGS).write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")


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
