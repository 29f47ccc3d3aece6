"""CLIPs of the paper's kind with weights that are not trained, and a tokenizer of a few captions."""

from dataclasses import replace
from typing import Literal

from tests.fakes import awake, built

from unclip.clip.model import CLIP, CLIPConfig
from unclip.clip.text import TextConfig
from unclip.clip.vision import ViTConfig
from unclip.nn.blocks.transformer import Activation
from unclip.text.tokenizer import Tokenizer

CAPTIONS = ("a red heart", "Two  blue circles beside a box", "the sun", "ein grüner Baum 🌳", "don't; it's 12 o'clock!")
LONG = "a red heart beside two blue circles and the sun and a box and a tree and a red heart"


def tokenizer() -> Tokenizer:
    return Tokenizer.train(CAPTIONS, vocabulary=300)


def clip(
    words: Tokenizer,
    activation: Activation = "quick_gelu",
    form: Literal["softmax", "sigmoid"] = "softmax",
    **vision: int,
) -> CLIP:
    text = TextConfig(words.size, words.context, width=24, layers=2, heads=4, activation=activation)
    tower = ViTConfig(16, patch=8, width=32, layers=2, heads=2, activation=activation)
    made = awake(built(lambda: CLIP(CLIPConfig(text, replace(tower, **vision), width=20, form=form))))
    assert isinstance(made, CLIP)
    return made
