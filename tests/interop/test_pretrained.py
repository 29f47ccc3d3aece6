"""`from_pretrained`, `save_pretrained`, `push_to_hub`: folders, the Hub's cache, and a stand-in of its endpoint."""

from pathlib import Path

import pytest
from tests.cli.test_sharing import pushed
from tests.interop import hub

import unclip
from unclip.core.disk import store
from unclip.runs.lora import Lora, write_lora

SENT = """
import unclip

model = unclip.load("box:emoji")
print(unclip.push_to_hub(model, "me/emoji", licence="apache-2.0", prompts=["a red heart"]))
again = unclip.from_pretrained("me/emoji", kind=unclip.TextToImage)
assert again.hash == model.hash and again.folder.root != model.folder.root
"""
OFFLINE = """
import unclip

assert unclip.from_pretrained("me/emoji").hash == unclip.load("box:emoji").hash
try:
    unclip.from_pretrained("me/nothing")
except ValueError as error:
    print(error)
"""


@pytest.mark.slow
def test_to_the_hub_and_back_and_again_without_it(tmp_path: Path) -> None:
    pytest.importorskip("huggingface_hub")
    with hub.running() as server:
        done = pushed(["-c", SENT], server.address, tmp_path, HF_TOKEN=hub.TOKEN)
        assert done.returncode == 0, done.stderr
        assert done.stdout.split() == [f"{server.address}/me/emoji"]
        assert {"README.md", "samples.png", "run.toml"} <= set(server.repos["me/emoji"])
    offline = pushed(["-c", OFFLINE], "http://127.0.0.1:9", tmp_path, HF_HUB_OFFLINE="1")
    assert offline.returncode == 0, offline.stderr
    assert "me/nothing: no folder here, not in the cache of huggingface_hub" in offline.stdout


def test_a_folder_never_asks_the_hub(tmp_path: Path) -> None:
    model = unclip.from_pretrained("box:emoji")
    place = unclip.save_pretrained(model, tmp_path / "copy")
    assert not (place / "data").exists() and (place / "decoder" / store.WEIGHTS).exists()
    assert unclip.from_pretrained(place, kind=unclip.TextToImage).hash == model.hash
    with pytest.raises(ValueError, match="nowhere: not a name that the Hub takes"):
        unclip.from_pretrained(tmp_path.name + "/../nowhere")


def test_what_is_no_whole_run_is_not_handed_on(tmp_path: Path) -> None:
    import torch

    small = {"to_tokens.lora_A.weight": torch.zeros(2, 128), "to_tokens.lora_B.weight": torch.zeros(512, 2)}
    write_lora(tmp_path / "lora" / "decoder", small, 2, "box:emoji", "0123")
    model = unclip.load("box:emoji", lora=Lora(tmp_path / "lora"))
    with pytest.raises(ValueError, match="small weights of .* are merged into this model; hand on the run"):
        unclip.save_pretrained(model, tmp_path / "out")
    with pytest.raises(ValueError, match="me: not a name that the Hub takes"):
        unclip.push_to_hub(model, "me")
