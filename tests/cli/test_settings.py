import itertools
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from cyclopts import CoercionError

from unclip.cli.arguments.options import TrainOptions
from unclip.cli.arguments.settings import assignment, base, check_same, layers, resolve, side
from unclip.cli.main import app
from unclip.core.disk.sizes import LARGE, Bounded
from unclip.diffusion.parameterization import X0, Eps, V
from unclip.diffusion.process import check_sampling
from unclip.diffusion.schedules import CosineBeta, LinearBeta, ZeroTerminalSNR
from unclip.diffusion.weighting import EDMWeight, PlainX0, Simple
from unclip.nn.backbones.dit import DiTConfig
from unclip.recipes.presets import PRESETS
from unclip.recipes.settings.run import RunConfig, stored_config, write_settings
from unclip.recipes.stages import CLIPRecipe, DDPMRecipe, DecoderRecipe, PriorRecipe
from unclip.recipes.start.fits import check_networks


def resolved(given: TrainOptions, environ: dict[str, str] | None = None) -> RunConfig:
    said = layers(given, environ or {})
    return resolve(base(given, said, side(said) or 32, flip=True), said)


def test_nothing_said_is_the_tiny_preset():
    assert resolved(TrainOptions()) == PRESETS["tiny"](32)


def test_later_layers_win(tmp_path: Path):
    file = tmp_path / "mine.toml"
    file.write_text(
        "seed = 1\nbudget = 10\nmax_bad = 0.5\nvocabulary = 99\n[decoder.train]\nbatch = 7\n", encoding="utf-8"
    )
    environ = {"UNCLIP_SEED": "2", "UNCLIP_BUDGET": "2m", "UNCLIP_SET": "decoder.train.batch=8,clip.width=32"}
    config = resolved(TrainOptions(config=file, seed=3, set=["clip.width=48"]), environ)
    assert (config.seed, config.budget, config.max_bad, config.vocabulary) == (3, 120.0, 0.5, 99)
    assert (config.recipes["decoder"].train.batch, config.of(CLIPRecipe).width) == (8, 48)
    assert config.recipes["prior"] == PRESETS["tiny"](32).recipes["prior"]


def test_the_preset_is_below_everything(tmp_path: Path):
    file = tmp_path / "mine.toml"
    file.write_text("[prior]\nwidth = 64\n", encoding="utf-8")
    config = resolved(TrainOptions(preset="small", config=file, size=64))
    assert config.of(PriorRecipe).width == 64
    assert config.recipes["clip"] == PRESETS["small"](64).recipes["clip"]
    assert config.size == 64


def test_a_run_file_is_a_settings_file(tmp_path: Path):
    write_settings(tmp_path / "run.toml", PRESETS["small"](64))
    assert resolved(TrainOptions(config=tmp_path / "run.toml")) == PRESETS["small"](64)


@pytest.mark.parametrize(
    "text, table",
    [
        ("seed=4", {"seed": 4}),
        ("decoder.train.optim.lr = 1e-3", {"decoder": {"train": {"optim": {"lr": 1e-3}}}}),
        ("decoder.network.widths=[16, 32]", {"decoder": {"network": {"widths": [16, 32]}}}),
        ("precision=float32", {"precision": "float32"}),
        ("precision='float32'", {"precision": "float32"}),
        ("a=true", {"a": True}),
    ],
)
def test_assignments(text: str, table: dict[str, object]):
    assert assignment(text, "--set").table == table


@pytest.mark.parametrize(
    "text, why",
    [
        ("seed", "write a setting and its value"),
        ("=3", "write a setting and its value"),
        ("a..b=3", "write a setting and its value"),
        ("seed=1 2", "is not a TOML value"),
        ("seed=", "is not a TOML value"),
        ("seed=1\nbudget=2", "one value, in one line"),
    ],
)
def test_bad_assignments(text: str, why: str):
    with pytest.raises(ValueError, match=why):
        assignment(text, "--set")


def test_lists_in_the_environment():
    config = resolved(TrainOptions(), {"UNCLIP_SET": "decoder.network.widths=[16,32], seed=5"})
    assert (config.of(DecoderRecipe).network.widths, config.seed) == ((16, 32), 5)  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize(
    "given, environ, why",
    [
        (TrainOptions(set=["decoder.nope=3"]), {}, "--set: decoder: unknown setting 'nope'; known are network"),
        (
            TrainOptions(set=["decoder.sampling.steps=[1]"]),
            {},
            r"--set: decoder.sampling.steps = \[1\]: expected a whole number from 1 to 100000",
        ),
        (TrainOptions(), {"UNCLIP_SEED": "x"}, "UNCLIP_SEED: seed = 'x': expected a whole number"),
        (TrainOptions(budget="3x"), {}, "--budget '3x' is not a length of time"),
        (TrainOptions(), {"UNCLIP_BUDGET": "soon"}, "UNCLIP_BUDGET 'soon' is not a length of time"),
        (TrainOptions(), {"UNCLIP_SIZE": "48"}, "size = 48"),
        (TrainOptions(preset="latent-tiny", set=["size='x'"]), {}, "--set: size = 'x': expected a whole number"),
        (
            TrainOptions(model="flow", set=["flow.network.blocks=257"]),
            {},
            "blocks = 257: .* from 0 to 256",
        ),
        (TrainOptions(preset="huge"), {}, "--preset 'huge': known are tiny, small, paper, latent-tiny, ddpm-fast"),
        (TrainOptions(preset="small", model="ddpm"), {}, "--preset 'small' trains model = 'unclip', not 'ddpm'"),
        (TrainOptions(), {"UNCLIP_MODEL": "energy"}, "model = 'energy': known are unclip, latent, ddpm, vae"),
        (TrainOptions(classes=True), {}, "--classes: ddpm: a run of model = 'unclip' has no such stage"),
        (
            TrainOptions(model="ddpm", set=["decoder.share=2"]),
            {},
            "--set: decoder: a run of model = 'ddpm' has no such stage",
        ),
        (TrainOptions(model="ddpm", size=33), {}, "size = 33: .* draws multiples of 4 px"),
        (TrainOptions(config=Path("nowhere.toml")), {}, "nowhere.toml: not a settings file"),
    ],
)
def test_errors_name_the_place(given: TrainOptions, environ: dict[str, str], why: str):
    with pytest.raises(ValueError, match=why):
        resolved(given, environ)


def test_the_same_words_continue():
    given = TrainOptions(budget="5m", seed=3, precision="auto", set=["decoder.network.widths=[16,32]"])
    stored = resolved(given)
    check_same(resolve(stored, [assignment("precision=float32", "run")]), layers(given, {}), Path("run"))


def test_other_words_do_not_continue():
    stored = resolved(TrainOptions(seed=3))
    with pytest.raises(ValueError, match=r"--seed: seed = 4, but run was begun with seed = 3; .* another --out"):
        check_same(stored, layers(TrainOptions(seed=4), {}), Path("run"))
    with pytest.raises(ValueError, match=r"UNCLIP_SET: clip.train.batch = 5"):
        check_same(stored, layers(TrainOptions(), {"UNCLIP_SET": "clip.train.batch=5"}), Path("run"))
    check_same(stored, layers(TrainOptions(seed=3), {"UNCLIP_SEED": "4"}), Path("run"))


def test_a_model_brings_its_preset():
    assert resolved(TrainOptions(model="ddpm")) == PRESETS["ddpm-fast"](32)
    assert resolved(TrainOptions(), {"UNCLIP_MODEL": "ddpm"}).model == "ddpm"
    assert resolved(TrainOptions(preset="ddpm-cifar10")) == PRESETS["ddpm-cifar10"](32)
    assert resolved(TrainOptions(model="ddpm", classes=True)).of(DDPMRecipe).classes
    assert resolved(TrainOptions(model="ddpm", size=16)).size == 16


def test_a_budget_that_is_said_takes_the_place_of_the_presets_steps():
    assert resolved(TrainOptions(preset="ddpm-cifar10")).of(DDPMRecipe).train.steps == 800_000
    assert resolved(TrainOptions(preset="ddpm-cifar10", budget="20m")).of(DDPMRecipe).train.steps == 0
    both = resolved(TrainOptions(preset="ddpm-cifar10", budget="20m", set=["ddpm.train.steps=7"]))
    assert both.of(DDPMRecipe).train.steps == 7


def test_the_run_file_of_a_ddpm_is_a_settings_file(tmp_path: Path):
    stored = replace(PRESETS["ddpm-cifar10"](32), seed=5)
    write_settings(tmp_path / "run.toml", stored)
    assert resolved(TrainOptions(config=tmp_path / "run.toml")) == stored
    check_same(stored, layers(TrainOptions(config=tmp_path / "run.toml"), {}), Path("run"))


def test_another_network_takes_the_place_of_the_presets():
    config = resolved(TrainOptions(model="ddpm", set=["ddpm.network.kind=DiTConfig", "ddpm.network.width=96"]))
    assert config.of(DDPMRecipe).network == DiTConfig(width=96)
    assert (
        resolved(TrainOptions(model="ddpm", set=["ddpm.network.widths=[16,32]"])).of(DDPMRecipe).network.multiple == 4
    )


@pytest.mark.parametrize(
    "words",
    [
        ["ddpm.diffusion.schedule.kind=ZeroTerminalSNR", "ddpm.diffusion.parameterization.kind=V"],
        ["ddpm.network.kind=DiTConfig", "ddpm.network.width=96", "ddpm.network.heads=4"],
        ["ddpm.diffusion.schedule.kind=CosineBeta", "ddpm.diffusion.schedule.T=200", "ddpm.sampling.steps=200"],
        ["size=36", "ddpm.network.patch=3"],
    ],
)
def test_the_order_of_what_is_said_does_not_matter(words: list[str]):
    found = [resolved(TrainOptions(model="ddpm", set=list(order))) for order in itertools.permutations(words)]
    assert all(config == found[0] for config in found)
    assert found[0] != resolved(TrainOptions(model="ddpm"))


def test_zero_terminal_snr_is_said_in_two_words():
    words = ["ddpm.diffusion.schedule.kind=ZeroTerminalSNR", "ddpm.diffusion.parameterization.kind=V"]
    assert resolved(TrainOptions(model="ddpm", set=words)).of(DDPMRecipe).diffusion.schedule == ZeroTerminalSNR()


@pytest.mark.parametrize(
    "given, words",
    [
        (
            TrainOptions(preset="ddpm-cifar10", set=["ddpm.diffusion.schedule.T=100"]),
            "ddpm.sampling.steps = 1000: this table has T = 100",
        ),
        (
            TrainOptions(
                model="ddpm", set=["ddpm.sampling.sampler.kind=Ancestral", "ddpm.sampling.sampler.variance=learned"]
            ),
            "ddpm.sampling.sampler: .*learned.*vlb_weight = 0",
        ),
        (
            TrainOptions(model="ddpm", set=["ddpm.sampling.grid.kind=Sections"]),
            "ddpm.sampling.steps = 12: the grid's counts make 27",
        ),
        (
            TrainOptions(set=["decoder.sampling.schedule.kind=LinearBeta", "decoder.sampling.steps=2000"]),
            "steps = 2000",
        ),
        (TrainOptions(set=["decoder.share=0"]), "decoder.share = 0: a stage needs time"),
        (
            TrainOptions(preset="small", set=["prior.diffusion.schedule.limit=1"]),
            "prior.sampling.steps = 32: .*schedule.limit = 1 cuts",
        ),
        (TrainOptions(preset="latent-tiny", set=["autoencoder.coder.patch=7"]), "the side of a code is 1/7 .*patch"),
    ],
)
def test_what_could_not_be_drawn_from_is_not_trained(given: TrainOptions, words: str):
    with pytest.raises(ValueError, match=words):
        resolved(given)


def test_an_error_names_where_it_was_said(tmp_path: Path):
    file = tmp_path / "mine.toml"
    file.write_text("[decoder.train]\nbatch = -8\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"mine.toml: decoder.train.batch = -8: expected a whole number from 1 to"):
        resolved(TrainOptions(config=file))
    assert resolved(TrainOptions(config=file, set=["decoder.train.batch=8"])).of(DecoderRecipe).train.batch == 8
    with pytest.raises(ValueError, match=r"^UNCLIP_SET: decoder.train.batch = -1"):
        resolved(TrainOptions(config=file, seed=3), {"UNCLIP_SET": "decoder.train.batch=-1"})
    with pytest.raises(ValueError, match=r"^--size: size = 128: .*unclip add upsampler DATA --run RUN --size 128"):
        resolved(TrainOptions(size=128))


def test_a_slip_of_the_hand_on_a_begun_run_is_told_as_one():
    stored = resolved(TrainOptions())
    for text, words in (
        ("decoder.train.bach=16", "unknown setting 'bach'; did you mean 'batch'"),
        ("decoder.train.batch=-16", "decoder.train.batch = -16: expected"),
        ("ddpm.share=1", "a run of model = 'unclip' has no such stage"),
    ):
        with pytest.raises(ValueError, match=words):
            check_same(stored, layers(TrainOptions(set=[text]), {}), Path("run"))
    with pytest.raises(ValueError, match="--model: model = 'ddpm', but run was begun with model = unclip"):
        check_same(stored, layers(TrainOptions(model="ddpm"), {}), Path("run"))


def test_a_file_of_another_version_says_so(tmp_path: Path):
    file = tmp_path / "run.toml"
    write_settings(file, PRESETS["tiny"](32))
    assert stored_config(file) == PRESETS["tiny"](32)
    text = file.read_text(encoding="utf-8")
    newer = text.replace("seed = 0", "seed = 0\nwarp = 9").partition("\n")[2]
    file.write_text(f'unclip = "99.1"\n{newer}', encoding="utf-8")
    with pytest.raises(ValueError, match=r"run.toml: unknown setting 'warp'; .*unclip 99.1 wrote this file.*use that"):
        stored_config(file)


def test_options_of_a_ddpm_as_its_code_names_them():
    plain = resolved(TrainOptions(model="ddpm", T=1000)).of(DDPMRecipe)
    found = plain.diffusion
    assert (found.schedule, found.parameterization, found.weighting) == (LinearBeta(), Eps(), Simple())
    fewer = resolved(TrainOptions(preset="ddpm-cifar10", T=100)).of(DDPMRecipe)
    assert fewer.diffusion.schedule == LinearBeta(1e-3, 0.2, 100)
    assert fewer.sampling.steps == 100
    check_sampling(fewer.diffusion, fewer.sampling)
    cosine = resolved(TrainOptions(model="ddpm", beta_schedule="cosine", predict="v")).of(DDPMRecipe).diffusion
    assert (cosine.schedule, cosine.parameterization, cosine.weighting) == (CosineBeta(), V(), EDMWeight(1.0))
    clean = (
        resolved(TrainOptions(model="ddpm", predict="x0", set=["ddpm.diffusion.schedule.beta_T=0.03"]))
        .of(DDPMRecipe)
        .diffusion
    )
    assert (clean.schedule, clean.parameterization, clean.weighting) == (LinearBeta(beta_T=0.03), X0(), PlainX0())
    check_same(
        resolved(TrainOptions(model="ddpm", T=60, predict="v")),
        layers(TrainOptions(T=60, predict="v"), {}),
        Path("run"),
    )


@pytest.mark.parametrize(
    "given, words",
    [
        (TrainOptions(T=1000), "--T: only a plain DDPM has a chain of its own; add --model ddpm"),
        (TrainOptions(model="latent", predict="v"), "--predict: only a plain DDPM"),
        (TrainOptions(model="ddpm", T=1), "--T: ddpm.diffusion.schedule.T = 1: expected a whole number from 2"),
        (TrainOptions(model="ddpm", T=0), "--T: ddpm.diffusion.schedule.T = 0: expected a whole number from 2"),
        (
            TrainOptions(model="ddpm", T=10, beta_schedule="linear"),
            "beta_T = 2.0: expected a number above 0 and below 1",
        ),
    ],
)
def test_options_of_a_ddpm_that_do_not_fit(given: TrainOptions, words: str):
    with pytest.raises(ValueError, match=words):
        resolved(given)


@pytest.mark.parametrize(
    "words", [["--seed", "1.5"], ["--size", "3e1"], ["--T", "2.5"], ["--max-bad", "nan"], ["--max-bad", "x"]]
)
def test_numbers_on_the_command_line_mean_what_they_say(words: list[str]):
    with pytest.raises(CoercionError, match="is not a (whole )?number"):
        app.parse_args(["train", "shapes", "--out", "x", *words], exit_on_error=False, print_error=False)


def test_networks_are_measured_before_memory_is_taken():
    for words, expected in (
        ("decoder.network.widths=[60000,60000]", r"decoder: these settings make a network of more than .* GB left"),
        ("clip.text_width=100", "clip: text width = 100: must be divisible by its heads = 3"),
        ("prior.width=100", "prior: width = 100: must be divisible by its heads = 3"),
        ("decoder.network.head_width=7", "decoder: width = 64: must be divisible by its heads = 9"),
    ):
        with pytest.raises(ValueError, match=expected):
            check_networks(resolved(TrainOptions(set=[words])))
    for name in PRESETS:
        check_networks(PRESETS[name](64))
    large = torch.zeros(LARGE + 1)
    with Bounded(math.inf, untouched=True):
        large.copy_(torch.ones(LARGE + 1))
    assert not large.any()


def test_a_background_is_typed_as_it_is_meant(tmp_path: Path):
    assert resolved(TrainOptions()).background == "white"
    assert resolved(TrainOptions(background="#808080")).background == "#808080"  # no comment of TOML's
    assert resolved(TrainOptions(), {"UNCLIP_BACKGROUND": "black"}).background == "black"
    with pytest.raises(ValueError, match="background = 'blakc': no colour; write white, black"):
        resolved(TrainOptions(background="blakc"))
    write_settings(tmp_path / "run.toml", resolved(TrainOptions(background="gray")))
    assert resolved(TrainOptions(config=tmp_path / "run.toml")).background == "gray"
