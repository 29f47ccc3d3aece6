"""Files of a run that somebody changed: refused by name, before memory is taken."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from tests.fakes import forge_head, tiny_unet

import unclip
from unclip.core.disk import store
from unclip.models.ddpm import DDPM, DDPMConfig
from unclip.recipes.presets import PRESETS
from unclip.recipes.settings.run import write_settings
from unclip.runs.folder import RunFolder


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    """A finished run of a DDPM that has learned nothing."""
    folder, config = RunFolder(tmp_path / "run"), DDPMConfig(tiny_unet(), size=16)
    write_settings(folder.settings, PRESETS["ddpm-fast"](32))
    store.save(folder.root / "ddpm", "ddpm", config.to_dict(), DDPM(config).state_dict())
    folder.finish("ddpm", {"passed": True, "why": "made", "metrics": {"steps": 1}})
    return folder


def forge(run: RunFolder, change: dict[str, Any], **head: Any) -> None:
    """Changes settings of the network in config.json, and what stands beside the settings, with the hash of it all."""
    config = json.loads((run.root / "ddpm" / "config.json").read_text(encoding="utf-8"))["config"]
    config["network"] |= change
    forge_head(run.root / "ddpm", **{**head, "config": config})


def test_as_it_was_written_it_loads(run: RunFolder):
    assert unclip.load(run.root, "cpu").generate(n=1)


@pytest.mark.parametrize(
    "change, words",
    [
        ({"widths": [60000, 60000]}, "these settings mean a network of more than .* model.safetensors holds"),
        ({"patch": 0}, "network.patch = 0: expected a whole number from 1 to 256"),
        ({"blocks": [10**9, 1]}, r"network.blocks\[0\] = 1000000000: expected"),
        ({"head_width": 10}, "width = 32: must be divisible by its heads = 3"),
        ({"warp": 9}, "network: unknown setting 'warp'.*unclip 99.1 wrote this file, and this is unclip"),
        ({"kind": "os.system"}, "network: unknown kind 'os.system'"),
    ],
)
def test_a_forged_network_is_told_with_its_file(run: RunFolder, change: dict[str, Any], words: str):
    forge(run, change, unclip="99.1")
    with pytest.raises(ValueError, match=f"{re.escape(str(run.root / 'ddpm' / 'config.json'))}: .*({words})"):
        unclip.load(run.root, "cpu")


@pytest.mark.parametrize("head", [{"kind": 3}, {"extra": []}, {"sha256": "x"}, {"sha256": {}}, {"format": "1"}])
def test_a_forged_head_is_told_with_its_file(run: RunFolder, head: dict[str, Any]):
    path = run.root / "ddpm" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | head), encoding="utf-8")
    with pytest.raises(ValueError, match=re.escape(str(run.root / "ddpm" / "config.json"))):
        unclip.load(run.root, "cpu")


@pytest.mark.parametrize(
    "text",
    ["[]", "3", '{"ddpm": 3}', '{"ddpm": {"passed": 1}}', "[" * 100_000, '{"ddpm": {"passed": true, "why": []}}'],
)
def test_a_forged_state_is_told_with_its_file(run: RunFolder, text: str):
    path = run.root / "state.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=re.escape(str(path))):
        unclip.load(run.root, "cpu")


@pytest.mark.parametrize("text", ['model = ["ddpm"]', "model = 3", "model", "x = " + "[" * 100_000])
def test_forged_settings_are_told_with_their_file(run: RunFolder, text: str):
    run.settings.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=re.escape(str(run.settings))):
        unclip.load(run.root, "cpu")


def test_a_folder_of_pictures_is_no_run(tmp_path: Path):
    with pytest.raises(ValueError, match=r"holds no run \(no run.toml\); name the folder that `unclip train"):
        unclip.load(tmp_path, "cpu")


@pytest.mark.parametrize("device", ["cuda:99", "gpu", "cuda:x", "xpu"])
def test_a_device_that_is_not_there_is_named(run: RunFolder, device: str):
    with pytest.raises(ValueError, match=f"device = '{device}': "):
        unclip.load(run.root, device)
