"""The autoregressive prior as a stage that `unclip add` trains."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from unclip.core.config.base import options
from unclip.core.config.ranges import Range
from unclip.models.priors.autoregressive import (
    AutoregressivePrior,
    AutoregressivePriorConfig,
    AutoregressivePriorOptions,
)
from unclip.nn.prior.pca import needed, principal
from unclip.recipes.context import Context
from unclip.recipes.stages.base import Stage
from unclip.recipes.stages.priors.common import AnyPriorRecipe, training_embeddings, training_texts


@dataclass(frozen=True)
class AutoregressivePriorRecipe(AnyPriorRecipe, AutoregressivePriorOptions):
    """explained: fraction of the embeddings' variance that is kept as codes."""

    name: ClassVar[str] = "autoregressive_prior"
    added_to: ClassVar[tuple[str, ...]] = ("unclip",)
    follows: ClassVar[tuple[str, ...]] = ("clip",)

    explained: Annotated[float, Range(0, 1, above=True)] = 0.99

    def build(self, ctx: Context, name: str) -> Stage[AutoregressivePrior]:
        """How many components it keeps follows from the embeddings."""
        images = training_embeddings(ctx)
        dims = needed(principal(images)[2], self.explained)
        chosen = options(self, AutoregressivePriorOptions)
        module = AutoregressivePrior(AutoregressivePriorConfig(**chosen, network=self.fitting(ctx), dims=dims))
        module.fit(images, training_texts(ctx))
        return self.staged(ctx, name, module)
