"""A stage is one class: what models train, what can be added, in which order, and what is refused."""

import threading
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import pytest
from tests.alone import alone
from tests.short import events, short

from unclip.core.config.base import WrongSetting
from unclip.recipes import Context, PriorRecipe, RunConfig, Stage, StageRecipe, UpsamplerRecipe
from unclip.recipes.add import add_stage, with_stage
from unclip.recipes.settings.recipe import additions, all_recipes, kind_of, models, next_additions, stages_of
from unclip.runs.folder import RunFolder
from unclip.training.trainer import TrainConfig


def test_models_and_their_stages_follow_from_the_classes():
    assert models() == ["unclip", "ddpm", "flow", "gan", "latent", "vae"]
    assert stages_of("unclip") == ("clip", "prior", "decoder")
    assert stages_of("latent") == ("clip", "autoencoder", "latent")
    assert stages_of("ddpm") == ("ddpm",) and stages_of("gan") == ("gan",) and stages_of("energy") == ()
    for name, kind in all_recipes().items():
        assert kind.name == name and (kind.trained_by or kind.added_to)
        assert set(kind.follows) <= set(all_recipes())


def test_stages_that_may_be_several_are_numbered():
    assert kind_of("upsampler3") == (UpsamplerRecipe, 3)
    assert kind_of("upsampler") == (UpsamplerRecipe, 1)
    for name in ("upsampler1", "upsampler0", "prior2", "upsampler_2", "../upsampler", ""):
        assert kind_of(name) is None, name
    config = RunConfig(size=32, added=("upsampler", "upsampler2", "upsampler3"))
    degradations = [type(config.recipes[name].degradation).__name__ for name in config.added]  # pyright: ignore
    assert degradations == ["GaussianBlur", "BSR", "BSR"]
    assert RunConfig.from_dict(config.to_dict()) == config


def test_what_can_be_added_next_follows_from_what_is_there():
    built = ("clip", "prior", "decoder")
    assert "upsampler" in next_additions("unclip", built) and "inpaint_upsampler" not in next_additions("unclip", built)
    more = next_additions("unclip", (*built, "upsampler", "noisy_clip"))
    assert {"upsampler2", "inpaint_upsampler"} <= set(more) and not {"upsampler", "noisy_clip"} & set(more)
    assert next_additions("unclip", ("clip",)) == ["autoregressive_prior", "contrastive_prior"]
    assert additions("ddpm") == ["classifier", "distilled"] and additions("latent") == []


@pytest.mark.parametrize(
    "table, why",
    [
        ({"model": "energy"}, "model = 'energy': known are unclip, ddpm, flow, gan, latent, vae"),
        ({"decodr": {}}, "unknown setting 'decodr'; did you mean 'decoder'"),
        ({"ddpm": {}}, "ddpm: a run of model = 'unclip' has no such stage"),
        ({"upsampler": {}}, "upsampler: a run of model = 'unclip' has no such stage"),
        (
            {"added": ["classifier"]},
            "stage 'classifier': to a run of model = 'unclip' can be added: autoregressive_prior",
        ),
        ({"added": ["../x"]}, "stage '../x': to a run"),
        ({"stages": ["clip"]}, "a run of model = 'unclip' trains clip, prior, decoder"),
        ({"stages": 3}, "stages = 3: a run of model"),
        ({"clip": 3}, "clip = 3: expected a table"),
        ({"prior": {"sampling": {"steps": 0}}}, "prior.sampling.steps = 0"),
    ],
)
def test_what_no_run_is_is_refused_by_name(table: dict[str, Any], why: str):
    with pytest.raises(WrongSetting, match=why):
        RunConfig.from_dict({"size": 32, **table})


def test_a_table_lies_on_the_stages_own_defaults():
    config = RunConfig.from_dict({"size": 32, "added": ["upsampler", "upsampler2"], "upsampler2": {"share": 0.2}})
    recipe = config.recipes["upsampler2"]
    assert isinstance(recipe, UpsamplerRecipe) and type(recipe.degradation).__name__ == "BSR" and recipe.share == 0.2
    assert RunConfig.from_dict({"size": 32, "prior": {"width": 64}}).of(PriorRecipe).sampling.steps == 32


@pytest.mark.parametrize("name", ["mean-colour", "MeanColour", "mean colour", "../mean", "2mean"])
def test_a_name_that_is_none_of_a_folder_is_refused_where_the_class_is_made(name: str):
    with pytest.raises(ValueError, match="small letters, digits and _"):
        type("MeanRecipe", (StageRecipe,), {"name": name})


@pytest.mark.parametrize("stages", ['["../clip"]', "3", '"clip"', "[1]"])
def test_forged_names_of_stages_are_told_with_their_file(tmp_path: Path, stages: str):
    (tmp_path / "run.toml").write_text(f"stages = {stages}\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"run.toml: stages = .*: expected a list of names of stages"):
        _ = RunFolder(tmp_path).stages


@alone
def test_a_variant_of_a_stage_is_chosen_by_its_kind():
    @dataclass(frozen=True)
    class DeepPriorRecipe(PriorRecipe):
        layers: int = 9

    assert all_recipes()["prior"] is PriorRecipe and RunConfig(size=32).of(PriorRecipe).layers == 4
    config = RunConfig.from_dict({"size": 32, "prior": {"kind": "DeepPriorRecipe"}})
    assert isinstance(config.recipes["prior"], DeepPriorRecipe) and config.of(PriorRecipe).layers == 9
    assert RunConfig.from_dict(config.to_dict()) == config


@alone
def test_a_stage_that_cannot_be_built_leaves_the_run_as_it_was(tmp_path: Path):
    """And one that gives something else than a gate is told by its name."""

    @dataclass(frozen=True)
    class RefusedRecipe(StageRecipe):
        name: ClassVar[str] = "refused"
        added_to: ClassVar[tuple[str, ...]] = ("unclip",)
        share: float = 0.1
        train: TrainConfig = field(default_factory=lambda: TrainConfig(4, steps=1))

        def build(self, ctx: Context, name: str) -> Stage[Any]:
            raise ValueError("these images have no depth")

    run = tmp_path / "run"
    list(events(run, short(1)))
    before = (run / "run.toml").read_bytes()
    config = with_stage(run, "refused")
    with pytest.raises(ValueError, match="these images have no depth"):
        list(add_stage(run, "refused", config, threading.Event()))
    assert (run / "run.toml").read_bytes() == before and RunFolder(run).added == ()
    upsampler = with_stage(run, "noisy_clip")
    quick = replace(upsampler.recipes["noisy_clip"], train=TrainConfig(4, steps=1))  # pyright: ignore
    list(add_stage(run, "noisy_clip", upsampler.using(noisy_clip=quick), threading.Event()))
    assert RunFolder(run).added == ("noisy_clip",)
