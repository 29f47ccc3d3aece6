"""Where judges come from: those that are shipped, a folder that `judges.train` wrote, or a network of your own."""

from collections.abc import Sequence
from pathlib import Path

import torch

from unclip.core.disk import store
from unclip.core.shown import printable
from unclip.judges.judge import Judge
from unclip.judges.network import SIDES, FeatureNet, FeatureNetConfig
from unclip.judges.torchscript import Wants, load_torchscript

KIND = "judge"
SHIPPED: dict[str, str] = {
    "supervised": "a0f50b3ce0f5b964b99219503da49179f074d5c2c8bb2648b1e93f38da3cfa27",
    "self-supervised": "be7a202a2da2c2a6756d4e3b151a65107f767bfc656cb9316731cba662a529e0",
    "random": "40d9c3ee563471466590dcf281054e17d8cd86ffd5d441f0e1af7a6a54b2717f",
}
"""Name -> SHA-256 over settings and weights. A published figure names the judge by its hash, so these never change
without a new name in the tables of docs/judges.md."""
TRAINED = ("supervised", "self-supervised")
"""Those that have learned; `random` is the floor beside them."""
WEIGHTS = Path(__file__).parent / "weights"


def load(judge: str | Path, device: torch.device | str = "cpu", wants: Wants | None = None) -> Judge:
    """Loads a judge.

    Args:
        judge: the name of one that is shipped (`SHIPPED`); a folder that `judges.train` wrote; or
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


def load_all(names: Sequence[str | Path], device: torch.device | str = "cpu") -> list[Judge]:
    """Loads several judges; of no names those that are shipped. Raises ValueError as `load` does."""
    return [load(name, device) for name in names or SHIPPED]


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
