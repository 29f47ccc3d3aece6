"""CLIP (Radford et al. 2021): images and captions in one space of unit vectors, trained from random weights."""

import math
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import nn

from unclip.clip.loss import logits, sigmoid_loss, softmax_loss
from unclip.clip.text import TextEncoderConfig
from unclip.clip.vision import ImageTowerConfig
from unclip.core import processes
from unclip.core.config.base import Config
from unclip.core.config.ranges import Count
from unclip.core.noise import Noise
from unclip.core.task import Batch, Losses
from unclip.core.typing import Float, Ids, Images, Mask, Tensor, Tokens, Vectors


@dataclass(frozen=True)
class CLIPConfig(Config):
    """Settings of `CLIP`.

    Args:
        text: of the text encoder: `TextConfig`, or one of your own.
        vision: of the image tower: `VisionConfig`, `ViTConfig`, or one of your own.
        width: of the embeddings.
        form: "softmax", CLIP's loss, or "sigmoid", SigLIP's (Zhai et al. 2023).
    """

    text: TextEncoderConfig
    vision: ImageTowerConfig
    width: Count = 128
    form: Literal["softmax", "sigmoid"] = "softmax"


class CLIP(nn.Module):
    """CLIP (Radford et al. 2021): an image tower and a text tower that embed into one space of unit vectors.

    The temperature is learned; its inverse starts at 1/0.07 and is 100 at most.
    """

    per_sample = False

    def __init__(self, config: CLIPConfig) -> None:
        super().__init__()
        self.config = config
        self.text, self.vision = config.text.build(), config.vision.build()
        self.text_projection = nn.Linear(config.text.width, config.width, bias=False)
        self.image_projection = nn.Linear(config.vision.width, config.width, bias=False)
        for projection in (self.text_projection, self.image_projection):  # as in the published code
            nn.init.normal_(projection.weight, std=projection.in_features**-0.5)
        softmax = config.form == "softmax"
        self.log_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07 if softmax else 10.0)))
        self.bias = None if softmax else nn.Parameter(torch.tensor(-10.0))

    def embed_images(self, images: Images, shift: Float[Tensor, "b width"] | None = None) -> Vectors:
        """Embeds images, [b, c, size, size] in [-1, 1], as unit vectors, [b, width]. shift: see `ImageTower`."""
        return F.normalize(self.image_projection(self.vision(images, shift)).float(), dim=-1)

    def embed_text(self, ids: Ids, mask: Mask) -> tuple[Vectors, Tokens]:
        """Embeds captions: unit vectors, [b, width], and the text tower's token features, [b, n, text.width].

        Args:
            ids: token ids, [b, n].
            mask: which tokens are real, [b, n].
        """
        tokens, end = self.text(ids, mask)
        return F.normalize(self.text_projection(end).float(), dim=-1), tokens.float()

    def loss(self, batch: Batch, noise: Noise) -> Losses:
        """The contrastive loss of a batch with images, ids, mask and `same`, which marks equal captions."""
        return self.compare(self.embed(batch, noise), batch)

    def embed(self, batch: Batch, noise: Noise) -> tuple[Tensor, ...]:
        """The embeddings of images and captions, [b, width] each."""
        assert batch.images is not None
        return self.embed_images(batch.images), self.embed_captions(batch)

    def embed_captions(self, batch: Batch) -> Vectors:
        """The embeddings of a batch's captions, [b, width]."""
        assert batch.ids is not None and batch.mask is not None
        return self.embed_text(batch.ids, batch.mask)[0]

    def compare(self, rows: tuple[Tensor, ...], batch: Batch) -> Losses:
        """The contrastive loss of the embeddings of a batch's images and captions."""
        assert batch.caption_id is not None
        with torch.no_grad():  # the paper's cap of 100; clamped here, so that it can come down again
            self.log_scale.clamp_(max=math.log(100))
        images, texts, same = map(processes.gathered, (*rows, batch.caption_id))
        scores = logits(images, texts, self.log_scale.exp())
        positive = same[:, None] == same[None]
        if self.bias is None:
            total = softmax_loss(scores, positive)
        else:
            total = sigmoid_loss(scores + self.bias, positive)
        return Losses(total, {"temperature": self.log_scale.detach().neg().exp()})
