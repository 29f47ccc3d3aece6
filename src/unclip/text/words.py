"""Words of prompts that a model cannot know. Byte-level tokens spell any word, so nothing is unknown to a tokenizer."""

import re
from collections.abc import Iterable, Sequence


def words(text: str) -> list[str]:
    """The words of a text in lower case, in its order, each once: runs of letters and digits; signs are none."""
    return list(dict.fromkeys(re.findall(r"[^\W_]+", text.lower())))


def unseen(prompts: Sequence[str], captions: Iterable[str]) -> dict[str, list[str]]:
    """Prompts with words that no caption holds -> those words."""
    missing = {word for prompt in prompts for word in words(prompt)}
    for caption in captions:
        if not missing:
            break
        missing.difference_update(words(caption))
    found = {prompt: [word for word in words(prompt) if word in missing] for prompt in prompts}
    return {prompt: strange for prompt, strange in found.items() if strange}
