"""The drawn-shapes world: what it promises of its scenes, images, captions and prompts."""

import os
import subprocess
import sys
import time
from collections import Counter
from itertools import combinations, islice
from pathlib import Path

import numpy as np
import pytest

from unclip.data.item import Scalable, Source
from unclip.data.prepare.identity import is_prepared
from unclip.data.prepare.write import prepare
from unclip.data.shapes.captions import (
    CATEGORIES,
    INVERSE,
    RELATION_WORDS,
    captions,
    prompts,
    relation,
    scored_prompts,
)
from unclip.data.shapes.draw import COLOURS, RADII, SHAPES, Object, coverage, draw
from unclip.data.shapes.pairs import PAIR_SETS, pool, told
from unclip.data.shapes.world import CLEAR, GAP, MARGIN, Scene, World
from unclip.data.source import notes_of

N = 1000


@pytest.fixture(scope="module", params=[32, 64])
def world(request: pytest.FixtureRequest) -> World:
    return World(size=request.param)


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    return [scene for _, _, scene in World().sample(N, seed=1)]


def test_an_example_depends_on_seed_and_index_only(world: World) -> None:
    few, many = list(world.sample(3, seed=5)), list(islice(world.sample(40, seed=5), 3))
    for (image, texts, scene), (image2, texts2, scene2) in zip(few, many, strict=True):
        assert scene == scene2
        assert texts == texts2
        np.testing.assert_array_equal(image, image2)
    assert next(world.sample(1, seed=6))[2] != few[0][2]


def test_pictures_have_the_promised_form(world: World) -> None:
    image, _, _ = next(world.sample(1))
    assert image.shape == (world.size, world.size, 3)
    assert image.dtype == np.uint8
    assert (image == 255).all(axis=2).any(), "the background is white"


def test_held_out_pairs_never_occur_in_training_and_all_others_do(scenes: list[Scene]) -> None:
    drawn = {(thing.colour, thing.shape) for scene in scenes for thing in scene.objects}
    assert not drawn & PAIR_SETS[0]
    assert len(drawn) == len(COLOURS) * len(SHAPES) - 4


def test_six_sets_of_pairs_part_all_of_them() -> None:
    every = [pair for pairs in PAIR_SETS for pair in pairs]
    assert len(PAIR_SETS) == 6 and len(every) == len(set(every)) == len(COLOURS) * len(SHAPES)
    assert set(every) == {(colour, shape) for colour in COLOURS for shape in SHAPES}
    for pairs in PAIR_SETS:  # a partial Latin square
        assert {shape for _, shape in pairs} == set(SHAPES)
        assert len({colour for colour, _ in pairs}) == len(SHAPES)
    assert PAIR_SETS[0] == {("red", "triangle"), ("blue", "circle"), ("yellow", "cross"), ("black", "square")}


@pytest.mark.parametrize("seed", [*range(6), 6, 4242])
def test_a_world_takes_its_set_from_its_seed_and_says_which(seed: int) -> None:
    world = World(seed=seed)
    assert world.unseen_pairs == PAIR_SETS[seed % 6] == world.at(64).unseen_pairs
    drawn = {(shape[1], shape[0]) for scene, _ in world._captioned(200, seed) for shape in scene.kinds}
    assert drawn.isdisjoint(world.unseen_pairs) and len(drawn) == 20
    assert pool(world.unseen_pairs) == (seed % 6, "development" if seed % 6 < 3 else "test")
    (note,) = notes_of(world)
    assert f"set {seed % 6} of" in note and all(" ".join(pair) in note for pair in world.unseen_pairs)


def test_pairs_that_are_none_of_the_sets() -> None:
    assert pool(frozenset()) is None
    assert "every pair" in told(frozenset())
    assert told(frozenset({("red", "circle")})) == "never shown: red circle (none of the six sets)"


def test_unseen_scenes_have_a_held_out_pair(world: World) -> None:
    rng = np.random.default_rng(0)
    for count in (1, 2, 3) * 30:
        scene = world.scene(rng, count=count, pairs="unseen")
        assert len(scene.objects) == count
        assert sum((thing.colour, thing.shape) in PAIR_SETS[0] for thing in scene.objects) == 1
        named = world.scene(rng, count=count, pairs=("blue", "circle"))
        assert [thing.shape for thing in named.objects if (thing.colour, thing.shape) in PAIR_SETS[0]] == ["circle"]


def test_counts_follow_their_probabilities(scenes: list[Scene]) -> None:
    counts = Counter(len(scene.objects) for scene in scenes)
    for n, p in World().counts.items():
        assert abs(counts[n] / N - p) < 5 * np.sqrt(p * (1 - p) / N)


def test_objects_keep_their_distance_and_differ(world: World) -> None:
    unit = world.size / 32
    rng = np.random.default_rng(2)
    for scene in (world.scene(rng) for _ in range(250)):
        assert len(set(scene.kinds)) == len(scene.kinds)
        for thing in scene.objects:
            edge = (RADII[thing.size] + MARGIN) * unit
            assert edge - 1e-6 <= min(thing.x, thing.y)
            assert max(thing.x, thing.y) <= world.size - edge + 1e-6
        for a, b in combinations(scene.objects, 2):
            apart = max(abs(a.x - b.x), abs(a.y - b.y)) / unit
            assert apart >= RADII[a.size] + RADII[b.size] + GAP - 1e-6


def test_no_pixel_is_covered_twice(scenes: list[Scene]) -> None:
    centres = np.arange(32) + 0.5
    for scene in scenes[:300]:
        masks = [
            coverage(o.shape, RADII[o.size], centres[None, :] - o.x, centres[:, None] - o.y) > 0 for o in scene.objects
        ]
        assert np.sum(masks, axis=0).max() == 1


def test_two_objects_have_one_clear_relation(scenes: list[Scene]) -> None:
    told: Counter[str] = Counter()
    for scene in (s for s in scenes if len(s.objects) == 2):
        a, b = scene.objects
        dx, dy = a.x - b.x, a.y - b.y
        assert abs(abs(dx) - abs(dy)) >= CLEAR - 1e-6
        assert scene.relation == relation(a, b) == INVERSE[relation(b, a)]
        told[relation(a, b)] += 1
    assert min(told[name] for name in RELATION_WORDS) > 0.2 * told.total()


def test_relation_axes() -> None:
    def at(x: int, y: int) -> Object:
        return Object("circle", "red", "small", float(x), float(y))

    assert relation(at(5, 10), at(20, 12)) == "left of"
    assert relation(at(20, 10), at(5, 12)) == "right of"
    assert relation(at(10, 5), at(12, 20)) == "above", "y points down"
    assert relation(at(10, 20), at(12, 5)) == "below"


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("scale", [1, 2])
def test_rendered_area_is_the_shapes_own(shape: str, scale: int) -> None:
    r = RADII["small"] * scale
    exact = {"circle": np.pi, "square": 4 * 0.86**2, "triangle": 1.8, "cross": 4 * 0.6 - 0.36}[shape] * r * r
    image = draw([Object(shape, "black", "small", 16.3 * scale, 15.8 * scale)], 32 * scale)
    area = (255.0 - image[:, :, 0]).sum() / (255 - 24)
    assert area == pytest.approx(exact, rel=0.02)


def test_every_caption_names_each_object_and_half_of_them_the_relation() -> None:
    words: set[str] = set()
    relational = pairs = doubles = 0
    for _, texts, scene in World().sample(N, seed=3):
        assert len(set(texts)) == len(texts)
        assert len(texts) in (1, 2)
        doubles += len(texts) == 2
        for text in texts:
            assert text == text.lower()
            words |= set(text.replace(",", "").split())
            for shape, colour, size in scene.kinds:
                assert text.count(f"{size} {colour} {shape}") == 1
            if len(scene.objects) == 2:
                assert len(text.split()) <= 14
                pairs += 1
                relational += any(word in text for ways in RELATION_WORDS.values() for word in ways)
    assert len(words) < 60
    assert 0.45 < relational / pairs < 0.55
    assert 0.45 < doubles / N < 0.55


def test_relational_captions_are_true_either_way_round() -> None:
    red, blue = ("circle", "red", "small"), ("square", "blue", "large")
    seen: set[str] = set()
    for seed in range(300):
        for text in captions((red, blue), "left of", np.random.default_rng(seed)):
            if " of " in text and "picture" not in text:
                assert ("left" in text) == (text.index("red") < text.index("blue"))
                seen.add("left" if "left" in text else "right")
    assert seen == {"left", "right"}


@pytest.mark.parametrize("category", CATEGORIES)
def test_prompts_say_what_they_want(world: World, category: str) -> None:
    some = prompts(world, category, 60, seed=4)
    assert some == prompts(world, category, 80, seed=4)[:60]
    assert some != prompts(world, category, 60, seed=5)
    for prompt in some:
        assert prompt.category == category
        assert len(prompt.objects) == {"one": 1, "two": 2, "rel": 2, "thr": 3}[category[:3]]
        assert (prompt.relation is not None) == (category == "relation")
        places = [prompt.text.index(f"{size} {colour} {shape}") for shape, colour, size in prompt.objects]
        assert places == sorted(places), "the objects are in the order of the text"
        if prompt.relation is not None:
            assert any(word in prompt.text for word in RELATION_WORDS[prompt.relation])
        held = [(colour, shape) for shape, colour, _ in prompt.objects if (colour, shape) in world.unseen_pairs]
        assert held == ([prompt.unseen] if category.endswith("unseen") else [])
    if category.endswith("unseen"):
        assert set(Counter(prompt.unseen for prompt in some).values()) == {15}


def test_each_unseen_pair_is_asked_for_equally_often() -> None:
    asked = [prompt for prompt, _ in scored_prompts(World(seed=3), 6, seed=1)]
    assert Counter(prompt.category for prompt in asked) == {c: 8 if c.endswith("unseen") else 6 for c in CATEGORIES}
    for category in ("one_unseen", "two_unseen"):
        counts = Counter(prompt.unseen for prompt in asked if prompt.category == category)
        assert counts == dict.fromkeys(PAIR_SETS[3], 2)
    assert asked[:6] == prompts(World(seed=3), "one_seen", 6, seed=1)


def test_mistakes_are_told_with_the_value() -> None:
    with pytest.raises(ValueError, match="48"):
        World(size=48)
    with pytest.raises(ValueError, match="pink"):
        World(held_out=frozenset({("pink", "circle")}))
    with pytest.raises(ValueError, match="sum to 1"):
        World(counts={1: 0.5})
    with pytest.raises(ValueError, match="five"):
        prompts(World(), "five", 1)
    with pytest.raises(ValueError, match="holds out no pair"):
        World(held_out=frozenset()).scene(np.random.default_rng(0), pairs="unseen")
    with pytest.raises(ValueError, match="holds out no pair"):
        prompts(World(held_out=frozenset()), "two_unseen", 1)
    with pytest.raises(ValueError, match="holds out no red circle"):
        World().scene(np.random.default_rng(0), pairs=("red", "circle"))
    with pytest.raises(ValueError, match="not 40"):
        World().scene(np.random.default_rng(0), count=40)


def test_drawing_is_fast(scenes: list[Scene]) -> None:
    start = time.process_time()
    for scene in scenes[:500]:
        draw(scene.objects, scene.size)
    # The aim is 3,000 a second; the test allows for a busy machine.
    assert time.process_time() - start < 500 / 1500


def test_a_world_is_a_data_set(tmp_path: Path) -> None:
    world = World(seed=3, scenes=12)
    assert isinstance(world, Source) and isinstance(world, Scalable)
    kept = prepare(world, tmp_path / "32", 32)
    examples = list(world.sample(12, seed=3))
    assert (kept.images[:] == np.stack([image for image, _, _ in examples])).all()
    assert list(kept.captions) == [texts for _, texts, _ in examples]
    assert (kept.keys[0], kept.report.kind) == ("scene-000000", "drawn shapes")
    large = prepare(world, tmp_path / "64", 64, minimum=64)
    assert (large.images[:] == np.stack([image for image, _, _ in world.at(64).sample(12, seed=3)])).all()
    assert is_prepared(world, tmp_path / "64") and not is_prepared(World(seed=4, scenes=12), tmp_path / "64")
    with pytest.raises(ValueError, match="size 48"):
        prepare(world, tmp_path / "48", 48)


def test_its_fingerprint_does_not_depend_on_the_order_in_which_a_process_keeps_a_set() -> None:
    code = "from unclip.data.shapes.world import World; print(World().fingerprint())"
    both = {
        subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, text=True
        ).stdout
        for seed in ("1", "2")
    }
    assert both == {World().fingerprint() + "\n"} == {World(64).fingerprint() + "\n"}


def test_the_world_of_seed_0_is_the_one_of_before() -> None:
    world = "73a68412a1313e2ff87a4e8a3a3a197c523a298163a0cb7444b332a5f30ef045"  # of runs before the sets of pairs
    assert World().fingerprint() == world == World(held_out=PAIR_SETS[0]).fingerprint()
    assert World(seed=6).fingerprint() != World(seed=6, held_out=PAIR_SETS[1]).fingerprint()
