"""What the documentation prints: links that lead somewhere, commands whose settings resolve, in an order that works."""

import itertools
import re
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.alone import alone
from tests.architecture.pages import PAGES, ROOT, commands, files, text_of

from unclip.cli.arguments import settings
from unclip.cli.arguments.options import TrainOptions
from unclip.cli.arguments.output import slug
from unclip.cli.main import app
from unclip.core.config.duration import seconds
from unclip.core.plugins.given import import_plugin
from unclip.recipes.presets import DEFAULTS

LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]*)(?:#([^)\s]*))?\)")
OTHERS = tuple(name for name in ("CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md") if (ROOT / name).exists())


def anchors(page: str) -> set[str]:
    """The names of a page's headings, as GitHub makes them."""
    titles = re.findall(r"^#+ (.*)$", text_of(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def links(page: str) -> set[tuple[str, str]]:
    """(file, heading) of each link into the repository, the file relative to its root."""
    found = set()
    for target, heading in LINK.findall(text_of(page)):
        if not re.match(r"\w+:", target):
            path = (ROOT / page).parent / target if target else ROOT / page
            found.add((path.resolve().relative_to(ROOT).as_posix(), heading))
    return found


@pytest.mark.parametrize("page", [*PAGES, *OTHERS])
def test_links_lead_somewhere(page: str) -> None:
    for target, heading in links(page):
        assert (ROOT / target).exists(), f"{page}: there is no {target}"
        if heading and target.endswith(".md"):
            assert heading in anchors(target), f"{page}: {target} has no heading {heading}"


def test_the_index_leads_to_every_page() -> None:
    assert "docs/index.md" in {target for target, _ in links("README.md")}
    missing = set(PAGES) - {target for target, _ in links("docs/index.md")} - {"docs/index.md"}
    assert not missing, f"docs/index.md: give each page its place: {', '.join(sorted(missing))}"


@pytest.mark.parametrize("page", [page for page in PAGES if not files(page)])
def test_commands_resolve(page: str) -> None:
    for words in commands(page):
        resolve(words)


@alone
def test_commands_with_plugins_resolve(tmp_path: Path) -> None:
    pages = [page for page in PAGES if files(page)]
    assert "docs/extending.md" in pages
    for page in pages:
        for name, code in files(page).items():
            (tmp_path / name).write_text(code, encoding="utf-8")
        for words in commands(page):
            resolve(words, tmp_path)


def resolve(words: list[str], folder: Path = Path()) -> None:
    """Reads a command as far as it can be without data; plugins: those files of `folder` that it names."""
    command, bound, _ = app.parse_args(words, exit_on_error=False, print_error=False)
    given = bound.arguments
    for plugin in given.get("plugin") or []:
        if (folder / plugin).is_file():
            import_plugin(str(folder / plugin))
    if isinstance(length := given.get("budget"), str):
        seconds(length)
    if command.__name__ == "train":
        resolve_run(given.get("given", TrainOptions()))
    if command.__name__ == "add":
        resolve_stage(given["stage"], given.get("set") or [])


def resolve_run(given: TrainOptions) -> None:
    """The settings of `unclip train ...`, as far as they can be said without data."""
    said = settings.layers(given, {})
    size = settings.side(said) or 32
    settings.resolve(settings.base(given, said, size, flip=True), said)


def resolve_stage(stage: str, said: list[str]) -> None:
    """The settings of `unclip add STAGE ...` on a run of the first model that takes the stage."""
    layers = [settings.assignment(text, "--set") for text in said]
    for model in DEFAULTS:
        config = settings.preset(None, model, 32)
        if takes(config, stage):
            settings.resolve(replace(config, added=(stage,)), layers)
            return
    raise AssertionError(f"no model takes the stage {stage}")


def takes(config: Any, stage: str) -> bool:
    """Whether a stage can be added to such a run."""
    try:
        replace(config, added=(stage,))
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("page", PAGES)
def test_scripts_and_targets_exist(page: str) -> None:
    for words in commands(page, "python"):
        script = ROOT / words[0]
        assert script.exists(), f"{page}: there is no {words[0]}"
        for option in filter(re.compile(r"-{1,2}[a-z]").match, words):
            assert f'"{option}"' in script.read_text(encoding="utf-8"), f"{page}: {words[0]} has no {option}"
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in {*re.findall(r"`make ([a-z]+)`", text_of(page)), *(words[0] for words in commands(page, "make"))}:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"{page}: the Makefile has no target {target}"


@pytest.mark.parametrize("page", ["README.md", "docs/tutorial.md"])
def test_every_line_finds_what_it_needs(page: str) -> None:
    """After `make demo`: the demo's run, what an earlier line made, or what lies in the repository."""
    there = {"runs/demo"}
    for words in commands(page):
        command, options = words[0], dict(itertools.pairwise(words))
        for word in words[1:]:
            made = word in (options.get("--out"), words[2] if command == "pack-run" else words[1])
            if ("/" in word or "." in Path(word).suffix) and not re.fullmatch(r"[\d.]+", word) and not made:
                assert word in there or (ROOT / word).exists(), f"{shlex.join(words)}: where does {word} come from?"
        if command in ("vary", "blend", "diff", "edit", "extend", "train", "data", "info"):
            assert words[1] in there, shlex.join(words)
        if command == "generate":
            prompts = list(itertools.takewhile(lambda word: not word.startswith("-"), words[1:]))
            first, out = int(options.get("--seed", "0")), options.get("--out", "out")
            there |= {f"{out}/{slug(p)}-{first + i}.png" for p in prompts for i in range(int(options.get("-n", "1")))}
        there |= {options["--out"]} if "--out" in options else set()
        there |= {words[1]} if command == "shapes" else set()


def test_commands_are_found() -> None:
    """So that the tests above do not pass for want of commands: fences, indented blocks, lines that go on."""
    assert len(list(commands("README.md"))) > 10
    assert ["explain", "--run", "runs/mine", "--out", "slides"] in list(commands("docs/explain.md"))
    assert any("decoder.diffusion.vlb_weight=0.001" in words for words in commands("docs/decoder.md"))
    assert next(w for w in commands("docs/priors.md") if "--json" in w)[7:9] == ["--seed", "0"]
