"""The one-step prior as a stage that `unclip add` trains."""

import math
from dataclasses import dataclass
from typing import ClassVar

from unclip.core.config.base import options
from unclip.models.priors.contrastive import ContrastivePrior, ContrastivePriorConfig, ContrastivePriorOptions
from unclip.recipes.context import Context
from unclip.recipes.stages.base import Stage
from unclip.recipes.stages.priors.common import AnyPriorRecipe, training_embeddings


@dataclass(frozen=True)
class ContrastivePriorRecipe(AnyPriorRecipe, ContrastivePriorOptions):
    """One evaluation of its network a caption."""

    name: ClassVar[str] = "contrastive_prior"
    added_to: ClassVar[tuple[str, ...]] = ("unclip",)
    follows: ClassVar[tuple[str, ...]] = ("clip",)

    def build(self, ctx: Context, name: str) -> Stage[ContrastivePrior]:
        """With the temperature that its CLIP has learned."""
        scale = math.exp(ctx.clip.log_scale.item())
        chosen = options(self, ContrastivePriorOptions)
        module = ContrastivePrior(ContrastivePriorConfig(**chosen, network=self.fitting(ctx), scale=scale))
        module.statistics.fit(training_embeddings(ctx))
        return self.staged(ctx, name, module)
