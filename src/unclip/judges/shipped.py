"""Where judges come from: the three that are shipped, a folder that `judges.train` wrote, or a network of your own."""

from pathlib import Path

import torch

from unclip.core.disk import store
from unclip.core.shown import printable
from unclip.judges.judge import Judge
from unclip.judges.network import SIDES, FeatureNet, FeatureNetConfig
from unclip.judges.torchscript import Wants, load_torchscript

KIND = "judge"
SHIPPED: dict[str, str] = {
    "supervised": "1182bf48ea388616a46564a9cb86d6c14154e5079995e42df7aa57d6f9b36722",
    "self-supervised": "bdb2b551a7647bf2ba85e4fb5cb3fe9248e779d182773faebf5b2fcdc1c0bb58",
    "random": "ac0b83b90165f9ddfb9402e14fd1e64a5bea1884a5e0f2d816f9aab362a91db3",
}
"""Name -> SHA-256 over settings and weights. A published figure names the judge by its hash, so these never change
without a new name in the tables of docs/judges.md."""
WEIGHTS = Path(__file__).parent / "weights"


def load(judge: str | Path, device: torch.device | str = "cpu", wants: Wants | None = None) -> Judge:
    """Loads a judge.

    Args:
        judge: "supervised", "self-supervised" or "random", which are shipped; a folder that `judges.train` wrote; or
            a TorchScript file of a network of your own.
        device: where it computes.
        wants: what images a network of your own is given; None: squares of 299 px, values 0 ... 255.

    Raises:
        ValueError: for a word or path that leads to none, a damaged file, and a shipped judge of another hash.
    """
    if isinstance(judge, str) and judge in SHIPPED:
        return _read(WEIGHTS / judge, judge, device, SHIPPED[judge])
    path = Path(judge)
    if path.is_dir():
        return _read(path, str(path), device)
    if path.is_file():
        return load_torchscript(path, wants or Wants(), device)
    raise ValueError(
        f"{printable(judge)}: no such judge; name one of {', '.join(SHIPPED)}, a folder that judges.train wrote, or a "
        "TorchScript file"
    )


def _read(folder: Path, name: str, device: torch.device | str, expected: str | None = None) -> Judge:
    try:
        stored = store.load(folder, KIND)
    except store.Damaged as error:
        raise store.Damaged(f"{error}{'; install unclip again' if expected else ''}") from error
    if expected and stored.identity != expected:
        raise ValueError(
            f"{folder / store.WEIGHTS}: not the judge {name!r} that this unclip was published with (hash "
            f"{stored.identity}, expected {expected}): its figures could not be compared with others'; install unclip "
            "again, or load it by its path to use it under its own name"
        )
    net = FeatureNetConfig.from_dict(stored.config, str(folder / store.HEAD)).build()
    _fill(net, stored, folder)
    net = net.to(device).eval().requires_grad_(False)
    return Judge(name, stored.identity, SIDES, lambda images: net(images.to(device)).to(images.device))


def _fill(net: FeatureNet, stored: store.Stored, folder: Path) -> None:
    try:
        net.load_state_dict({name: value.float() for name, value in stored.tensors.items()})
    except RuntimeError as error:
        raise store.Damaged(
            f"{folder}: settings and weights are not of one judge ({printable(error, 200)}); {store.MEND}"
        ) from error
