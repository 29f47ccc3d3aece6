"""The diffusion prior as a stage, which every text-to-image run trains."""

from dataclasses import dataclass, field, replace
from typing import ClassVar

from unclip.core.config.base import options
from unclip.diffusion.process import Sampling
from unclip.models.priors.diffusion import Prior, PriorConfig, PriorOptions, prior_sampling
from unclip.recipes.context import Context
from unclip.recipes.settings.run import RunConfig
from unclip.recipes.stages.base import Stage, TokenizerSize
from unclip.recipes.stages.clip import clip_of
from unclip.recipes.stages.priors.common import AnyPriorRecipe, training_embeddings


@dataclass(frozen=True)
class PriorRecipe(AnyPriorRecipe, PriorOptions):
    """The paper's prior: scaling "unit", sampling.steps 64."""

    name: ClassVar[str] = "prior"
    trained_by: ClassVar[tuple[str, ...]] = ("unclip",)
    follows: ClassVar[tuple[str, ...]] = ("clip",)

    sampling: Sampling = field(default_factory=lambda: replace(prior_sampling(), steps=32))

    def largest(self, config: RunConfig, words: TokenizerSize) -> Prior:
        network = self.transformer(clip_of(config, words), words.context)
        return Prior(PriorConfig(**options(self, PriorOptions), network=network))

    def build(self, ctx: Context, name: str) -> Stage[Prior]:
        """With the statistics of the training images' embeddings."""
        module = Prior(PriorConfig(**options(self, PriorOptions), network=self.fitting(ctx)))
        module.statistics.fit(training_embeddings(ctx))
        return self.staged(ctx, name, module)
