"""`from_pretrained`, `save_pretrained`, `push_to_hub`: folders, the Hub's cache, and a stand-in of its endpoint."""

import inspect
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from tests.cli.test_sharing import pushed
from tests.fakes import tiny_unet
from tests.interop import hub

import unclip
from unclip.core.disk import store
from unclip.data.hub import Download
from unclip.models.autoencoder.model import Autoencoder
from unclip.models.ddpm import DDPM, DDPMConfig
from unclip.nn.autoencoder.coder import CoderConfig
from unclip.nn.backbones import DiffusionUNet, DiffusionUNetConfig, DiT, DiTConfig, UNet
from unclip.nn.blocks.mlp import MLP
from unclip.nn.blocks.resblock import ResBlockConfig
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
    small = {"to_tokens.lora_A.weight": torch.zeros(2, 128), "to_tokens.lora_B.weight": torch.zeros(512, 2)}
    write_lora(tmp_path / "lora" / "decoder", small, 2, "box:emoji", "0123")
    model = unclip.load("box:emoji", lora=Lora(tmp_path / "lora"))
    with pytest.raises(ValueError, match="small weights of .* are merged into this model; hand on the run"):
        unclip.save_pretrained(model, tmp_path / "out")
    with pytest.raises(ValueError, match="me: not a name that the Hub takes"):
        unclip.push_to_hub(model, "me")


MIXED = """
import torch, huggingface_hub, unclip
from unclip.nn import DiffusionUNet, DiffusionUNetConfig

Net = unclip.hub_class(DiffusionUNet, license="mit", pipeline_tag="unconditional-image-generation", tags=["ddpm"])
assert issubclass(Net, DiffusionUNet) and issubclass(Net, huggingface_hub.PyTorchModelHubMixin)
net = Net(DiffusionUNetConfig(width=32, multipliers=(1, 1), attention=(False, False)))
net.push_to_hub("me/net")
for how in ({}, {"revision": "main"}, {"local_files_only": True}, {"cache_dir": "other", "force_download": True}):
    again = Net.from_pretrained("me/net", **how)
    assert again.config == net.config and not again.training
    assert all(torch.equal(a, b) for a, b in zip(net.state_dict().values(), again.state_dict().values(), strict=True))
"""


@pytest.mark.slow
def test_a_network_is_a_model_hub_mixin(tmp_path: Path) -> None:
    pytest.importorskip("huggingface_hub")
    with hub.running() as server:
        done = pushed(["-c", MIXED], server.address, tmp_path, HF_TOKEN=hub.TOKEN)
        assert done.returncode == 0, done.stderr
        files = server.repos["me/net"]
    assert {"README.md", "config.json", "model.safetensors"} <= set(files)
    card = files["README.md"].decode()
    assert "library_name: unclip" in card and "pytorch_model_hub_mixin" in card and "license: mit" in card


NETWORKS = [
    DiffusionUNet(
        DiffusionUNetConfig(
            width=16, multipliers=(1, 1), attention=(True, False), head_width=8, block=ResBlockConfig(4)
        )
    ),
    UNet(tiny_unet(vector_width=3)),
    DiT(DiTConfig(patch=2, width=32, layers=1, heads=2)),
    Autoencoder(CoderConfig(widths=(16,))),
    DDPM(DDPMConfig(network=tiny_unet(), size=8)),
]


@pytest.mark.parametrize("net", NETWORKS, ids=lambda net: type(net).__name__)
def test_its_folder_has_settings_with_all_their_parts(net: torch.nn.Module, tmp_path: Path) -> None:
    pytest.importorskip("huggingface_hub")
    Net = unclip.hub_class(type(net))
    assert unclip.hub_class(type(net)) is Net and Net.__name__ == type(net).__name__
    made = Net(net.config)
    made.load_state_dict(net.state_dict())
    made.save_pretrained(tmp_path / "net")
    table = json.loads((tmp_path / "net" / "config.json").read_text(encoding="utf-8"))
    assert type(net.config).from_dict(table) == net.config
    again = Net.from_pretrained(tmp_path / "net")
    assert all(torch.equal(tensor, again.state_dict()[name]) for name, tensor in net.state_dict().items())
    (tmp_path / "net" / "model.safetensors").unlink()
    save_file({"other.weight": torch.zeros(1)}, tmp_path / "net" / "model.safetensors")
    with pytest.raises(RuntimeError, match="other.weight"):
        Net.from_pretrained(tmp_path / "net")


def test_a_class_without_settings_is_no_hub_class() -> None:
    with pytest.raises(ValueError, match="MLP: not built by settings alone"):
        unclip.hub_class(MLP)


def test_the_words_of_the_mixin_are_taken_by_whole_models_too(tmp_path: Path) -> None:
    mixin = pytest.importorskip("huggingface_hub").PyTorchModelHubMixin
    theirs = {
        name for name, p in inspect.signature(mixin.from_pretrained).parameters.items() if p.kind is p.KEYWORD_ONLY
    }
    assert theirs - {"revision"} <= set(Download.__annotations__)
    with pytest.raises(ValueError, match="me/nothing: no folder here, not in the cache"):
        unclip.from_pretrained("me/nothing", cache_dir=tmp_path, local_files_only=True)
