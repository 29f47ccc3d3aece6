"""A noise-aware classifier, p(label | x_t, level), for classifier guidance (Dhariwal & Nichol 2021, section 4).

It sees x = alpha x0 + sigma eps and the log-SNR, at levels of a schedule, and is trained by cross-entropy:

    classifier = NoisyClassifier(ClassifierConfig(classes=10))
    ... train it as any Task on batches with `images` and `labels` ...
    guidance = ClassifierGuidance(scale=1.0, log_p=classifier.log_p(labels))

Theirs is the downward half of the U-Net; so is this one, small: residual blocks that halve the image, told the level.
"""

import itertools
from dataclasses import dataclass, field
from typing import Annotated

import torch.nn.functional as F
from torch import nn

from unclip.core.config.base import Config
from unclip.core.config.ranges import Count, Range, Widths
from unclip.core.noise import Noise
from unclip.core.task import Batch, Losses
from unclip.core.typing import Float, Images, Int, LogSNR, PerSample, Tensor
from unclip.diffusion.guidance import LogLikelihood
from unclip.diffusion.level import noised
from unclip.diffusion.schedules import Cosine, Schedule
from unclip.nn.blocks.checks import check_size
from unclip.nn.blocks.embed import LevelEmbedding
from unclip.nn.blocks.resblock import ResBlock

Labels = Int[Tensor, " b"]


@dataclass(frozen=True)
class ClassifierConfig(Config):
    """Settings of `NoisyClassifier`.

    Args:
        classes: the number of classes.
        channels: of the images.
        widths: channels at the full side, a half, a quarter, ...
        embedding: width of the embedding of the level.
        schedule: of the levels that training draws; take that of the diffusion that it shall guide.

    Raises:
        ValueError: for widths that the group norms cannot divide.
    """

    classes: Annotated[int, Range(2, 65536)]
    channels: Count = 3
    widths: Widths = (32, 64, 96, 128)
    embedding: Count = 128
    schedule: Schedule = field(default_factory=Cosine)

    def __post_init__(self) -> None:
        if any(w > 16 and w % 16 and w % (w // 16) for w in self.widths):
            raise ValueError(f"widths = {self.widths}: each a multiple of 16, for the group norms")


class NoisyClassifier(nn.Module):
    """A classifier of noised images, for classifier guidance (Dhariwal & Nichol 2021).

    It is the downward half of a small U-Net, and a `Task` on a batch's images and labels.
    """

    per_sample = True

    def __init__(self, config: ClassifierConfig) -> None:
        super().__init__()
        self.config = config
        widths = config.widths
        self.level = LevelEmbedding(config.embedding)
        self.stem = nn.Conv2d(config.channels, widths[0], 3, padding=1)
        self.blocks = nn.ModuleList(ResBlock(a, config.embedding, b, how="down") for a, b in itertools.pairwise(widths))
        self.norm = nn.GroupNorm(max(1, widths[-1] // 16), widths[-1])
        self.out = nn.Linear(widths[-1], config.classes)

    def forward(self, x: Images, log_snr: LogSNR) -> Float[Tensor, "b classes"]:
        """From noised images x [b, c, h, w] and log_snr ([b], or one for all) to logits, [b, classes].

        Raises ValueError for images of other channels, or of sides that are not divisible by 2^(len(widths) - 1).
        """
        check_size(x, self.config.channels, 2 ** len(self.blocks))
        embedding = F.silu(self.level(log_snr.expand(len(x))))
        h = self.stem(x)
        for block in self.blocks:
            h = block(h, embedding)
        return self.out(F.silu(self.norm(h)).mean((2, 3))).float()

    def loss(self, batch: Batch, noise: Noise) -> Losses:
        """The cross-entropy of a batch with images and labels, each image noised to a random level."""
        assert batch.images is not None and batch.labels is not None
        log_snr = self.config.schedule.draw(len(batch.images), noise)
        logits = self(noised(batch.images, log_snr, noise.normal(batch.images.shape)), log_snr)
        right = (logits.detach().argmax(1) == batch.labels).float().mean()
        return Losses(F.cross_entropy(logits, batch.labels), {"right": right})

    def log_p(self, labels: Labels) -> LogLikelihood:
        """Makes the function that `ClassifierGuidance` needs: (x, level) -> log p(label i | x i, level), [b].

        Raises ValueError for a label that is not a class.
        """
        if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < self.config.classes:
            raise ValueError(f"labels = {labels.tolist()}: this classifier knows 0 to {self.config.classes - 1}")

        def log_p(x: Images, log_snr: LogSNR) -> PerSample:
            return -F.cross_entropy(self(x, log_snr), labels, reduction="none")

        return log_p
