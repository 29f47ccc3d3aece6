from dataclasses import replace
from pathlib import Path

import pytest

from unclip.cli.options import Given
from unclip.cli.settings import assignment, base, check_same, last, layers, resolve
from unclip.nn.dit import DiTConfig
from unclip.recipes.config import RunConfig, write_settings
from unclip.recipes.presets import PRESETS


def resolved(given: Given, environ: dict[str, str] | None = None) -> RunConfig:
    said = layers(given, environ or {})
    return resolve(base(given, said, last(said, "size") or 32, flip=True), said)


def test_nothing_said_is_the_tiny_preset():
    assert resolved(Given()) == PRESETS["tiny"](32)


def test_later_layers_win(tmp_path: Path):
    file = tmp_path / "mine.toml"
    file.write_text(
        "seed = 1\nbudget = 10\nmax_bad = 0.5\nvocabulary = 99\n[decoder.train]\nbatch = 7\n", encoding="utf-8"
    )
    environ = {"UNCLIP_SEED": "2", "UNCLIP_BUDGET": "2m", "UNCLIP_SET": "decoder.train.batch=8,clip.width=32"}
    config = resolved(Given(config=file, seed=3, set=["clip.width=48"]), environ)
    assert (config.seed, config.budget, config.max_bad, config.vocabulary) == (3, 120.0, 0.5, 99)
    assert (config.decoder.train.batch, config.clip.width) == (8, 48)
    assert config.prior == PRESETS["tiny"](32).prior


def test_the_preset_is_below_everything(tmp_path: Path):
    file = tmp_path / "mine.toml"
    file.write_text("[prior]\nwidth = 64\n", encoding="utf-8")
    config = resolved(Given(preset="small", config=file, size=64))
    assert config.prior.width == 64
    assert config.clip == PRESETS["small"](64).clip
    assert config.size == 64


def test_a_run_file_is_a_settings_file(tmp_path: Path):
    write_settings(tmp_path / "run.toml", PRESETS["small"](64))
    assert resolved(Given(config=tmp_path / "run.toml")) == PRESETS["small"](64)


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
        ("seed=1 2", "no TOML value"),
        ("seed=", "no TOML value"),
        ("seed=1\nbudget=2", "one value, in one line"),
    ],
)
def test_bad_assignments(text: str, why: str):
    with pytest.raises(ValueError, match=why):
        assignment(text, "--set")


def test_lists_in_the_environment():
    config = resolved(Given(), {"UNCLIP_SET": "decoder.network.widths=[16,32], seed=5"})
    assert (config.decoder.network.widths, config.seed) == ((16, 32), 5)  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize(
    "given, environ, why",
    [
        (Given(set=["decoder.nope=3"]), {}, "--set.decoder: unknown setting 'nope'; known are network"),
        (
            Given(set=["decoder.sampling.steps=[1]"]),
            {},
            r"--set.decoder.sampling.steps = \[1\]: expected a value of type int",
        ),
        (Given(), {"UNCLIP_SEED": "x"}, "UNCLIP_SEED.seed = 'x'"),
        (Given(budget="3x"), {}, "--budget '3x' is no length of time"),
        (Given(), {"UNCLIP_BUDGET": "soon"}, "UNCLIP_BUDGET 'soon' is no length of time"),
        (Given(), {"UNCLIP_SIZE": "48"}, "size = 48"),
        (Given(preset="huge"), {}, "--preset 'huge': known are tiny, small, paper, latent-tiny, ddpm-fast"),
        (Given(preset="small", model="ddpm"), {}, "--preset 'small' trains model = 'unclip', not 'ddpm'"),
        (Given(), {"UNCLIP_MODEL": "gan"}, "model = 'gan': known are unclip, latent, ddpm"),
        (Given(classes=True), {}, "--classes.ddpm: a run of model = 'unclip' has no such stage"),
        (Given(model="ddpm", set=["decoder.share=2"]), {}, "--set.decoder: a run of model = 'ddpm' has no such stage"),
        (Given(model="ddpm", size=33), {}, "size = 33: this network draws multiples of 4 px"),
        (Given(config=Path("nowhere.toml")), {}, "nowhere.toml: not a settings file"),
    ],
)
def test_errors_name_the_place(given: Given, environ: dict[str, str], why: str):
    with pytest.raises(ValueError, match=why):
        resolved(given, environ)


def test_the_same_words_continue():
    given = Given(budget="5m", seed=3, precision="auto", set=["decoder.network.widths=[16,32]"])
    stored = resolved(given)
    check_same(resolve(stored, [assignment("precision=float32", "run")]), layers(given, {}), Path("run"))


def test_other_words_do_not_continue():
    stored = resolved(Given(seed=3))
    with pytest.raises(ValueError, match=r"--seed: seed = 4, but run was begun with seed = 3; .* another --out"):
        check_same(stored, layers(Given(seed=4), {}), Path("run"))
    with pytest.raises(ValueError, match=r"UNCLIP_SET: clip.train.batch = 5"):
        check_same(stored, layers(Given(), {"UNCLIP_SET": "clip.train.batch=5"}), Path("run"))
    check_same(stored, layers(Given(seed=3), {"UNCLIP_SEED": "4"}), Path("run"))


def test_a_model_brings_its_preset():
    assert resolved(Given(model="ddpm")) == PRESETS["ddpm-fast"](32)
    assert resolved(Given(), {"UNCLIP_MODEL": "ddpm"}).model == "ddpm"
    assert resolved(Given(preset="ddpm-cifar10")) == PRESETS["ddpm-cifar10"](32)
    assert resolved(Given(model="ddpm", classes=True)).ddpm.classes
    assert resolved(Given(model="ddpm", size=16)).size == 16


def test_a_budget_that_is_said_takes_the_place_of_the_presets_steps():
    assert resolved(Given(preset="ddpm-cifar10")).ddpm.train.steps == 800_000
    assert resolved(Given(preset="ddpm-cifar10", budget="20m")).ddpm.train.steps == 0
    both = resolved(Given(preset="ddpm-cifar10", budget="20m", set=["ddpm.train.steps=7"]))
    assert both.ddpm.train.steps == 7


def test_the_run_file_of_a_ddpm_is_a_settings_file(tmp_path: Path):
    stored = replace(PRESETS["ddpm-cifar10"](32), seed=5)
    write_settings(tmp_path / "run.toml", stored)
    assert resolved(Given(config=tmp_path / "run.toml")) == stored
    check_same(stored, layers(Given(config=tmp_path / "run.toml"), {}), Path("run"))


def test_another_network_takes_the_place_of_the_presets():
    config = resolved(Given(model="ddpm", set=["ddpm.network.kind=DiTConfig", "ddpm.network.width=96"]))
    assert config.ddpm.network == DiTConfig(width=96)
    assert resolved(Given(model="ddpm", set=["ddpm.network.widths=[16,32]"])).ddpm.network.multiple == 4


def test_a_background_is_typed_as_it_is_meant(tmp_path: Path):
    assert resolved(Given()).background == "white"
    assert resolved(Given(background="#808080")).background == "#808080"  # no comment of TOML's
    assert resolved(Given(), {"UNCLIP_BACKGROUND": "black"}).background == "black"
    with pytest.raises(ValueError, match="background = 'blakc': no colour; write white, black"):
        resolved(Given(background="blakc"))
    write_settings(tmp_path / "run.toml", resolved(Given(background="gray")))
    assert resolved(Given(config=tmp_path / "run.toml")).background == "gray"
