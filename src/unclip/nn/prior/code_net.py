"""The autoregressive prior's network: the caption, then one code after another (unCLIP, section 2.2).

[caption tokens, CLIP text embedding, dot product, code 1, ... code k - 1] -> logits of code 1, ... code k
"""

import math

import torch
from torch import Tensor, nn

from unclip.core.condition import Condition
from unclip.core.typing import Float, Int
from unclip.nn.blocks.transformer import Past
from unclip.nn.prior.caption_net import CaptionNet, PriorNetConfig

Logits = Float[Tensor, "b buckets"]


def cosines(count: int, waves: int) -> Float[Tensor, "count waves"]:
    """The first `waves` functions of the discrete cosine transform (DCT-II) on `count` places, orthogonal, rms 1."""
    place = (torch.arange(count)[:, None] + 0.5) * torch.arange(waves) * (math.pi / count)
    return place.cos() * torch.tensor([1.0] + [math.sqrt(2)] * (waves - 1))


class CodeNet(CaptionNet):
    """The network of the autoregressive prior (unCLIP, section 2.2): predicts one code of an embedding after another.

    Codes are places on a line. They are read and predicted through the first cosines of their place, so that
    neighbouring codes share what is learned.

    Args:
        config: settings of the transformer.
        dims: the number of codes of an embedding.
        buckets: the number of values of a code.
        dots: the number of values of the dot product of image and text embedding, which is given first; one more value
            stands for "not given".
        waves: the number of cosines; as many as `buckets`: a plain table of tokens.
    """

    def __init__(self, config: PriorNetConfig, dims: int, buckets: int, dots: int, waves: int) -> None:
        super().__init__(config, tail=dims)
        if not 1 <= waves <= buckets:
            raise ValueError(f"waves = {waves}: with {buckets} buckets, 1 to {buckets}")
        self.dims, self.untold = dims, dots
        self.register_buffer("places", cosines(buckets, waves), persistent=False)
        self.places: Tensor
        self.dot = nn.Embedding(dots + 1, config.width)
        self.code = nn.Linear(waves, config.width)
        self.out = nn.Linear(config.width, waves)
        nn.init.normal_(self.dot.weight, std=0.02)
        # Which code comes next only the position tells: as loud as the code that stands there, or it is learned late.
        nn.init.normal_(self.position[config.context + 1 :], std=0.5)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(
        self, cond: Condition, dot: Int[Tensor, " b"], codes: Int[Tensor, "b k"]
    ) -> Float[Tensor, "b k buckets"]:
        """For training: the logits of all codes, [b, k, buckets], each given those before it."""
        tail = torch.cat([self.dot(dot)[:, None], self.code(self.places[codes[:, :-1]])], dim=1)
        return self._logits(self.read(cond, tail))

    def start(self, cond: Condition, dot: Int[Tensor, " b"]) -> tuple[Logits, "KeyValueCache"]:
        """For sampling: the logits of the first code, [b, buckets], and a walk whose `step` gives the next."""
        sequence, bias = self.sequence(cond, self.dot(dot)[:, None])
        features, past = self.transformer.extend(sequence, [None] * len(self.transformer.blocks), bias)
        return self._logits(features[:, -1]), KeyValueCache(self, past, bias, 0)

    def _logits(self, features: Tensor) -> Tensor:
        return self.out(features) @ self.places.t()


class KeyValueCache:
    """Between two codes: the keys and values of everything so far, so that each code costs one token."""

    def __init__(self, net: CodeNet, past: list[Past], bias: Float[Tensor, "b 1 1 m"], done: int) -> None:
        self.net, self.past, self.bias, self.done = net, past, bias, done

    def step(self, codes: Int[Tensor, " b"]) -> Logits:
        """The next code's logits, once this one is chosen."""
        net, self.done = self.net, self.done + 1
        token = net.code(net.places[codes]) + net.position[net.context + 1 + self.done]
        self.bias = nn.functional.pad(self.bias, (0, 1))
        features, self.past = net.transformer.extend(token[:, None], self.past, self.bias)
        return net._logits(features[:, -1])
