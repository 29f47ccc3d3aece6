"""Networks of a run as ONNX graphs beside it: used in the place of torch's where they are of these very weights.

    RUN/onnx/onnx.json  decoder.onnx  prior.onnx

onnx.json says of each stage which weights its graph is of, and the SHA-256 of its file: a stage that was trained on,
or has small weights merged into it, is drawn by torch again.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from unclip.core.condition import Condition
from unclip.core.config.tables import is_table, read_json
from unclip.core.disk import store

FOLDER, HEAD, FORMAT = "onnx", "onnx.json", 1
PARTS = tuple(part.name for part in fields(Condition))
"""Of a condition, in the order in which a graph takes them, after x and log_snr."""

Network = Callable[[Tensor, Tensor, Condition], Tensor]


def network_of(module: nn.Module) -> nn.Module | None:
    """The network of a stage that denoises; None of another."""
    diffusion = getattr(module, "diffusion", None)
    denoiser = getattr(diffusion, "denoiser", None)
    network = getattr(denoiser, "network", None)
    return network if isinstance(network, nn.Module) else None


def names_of(cond: Condition) -> tuple[str, ...]:
    """The inputs of a graph for such a condition."""
    return ("x", "log_snr", *(name for name in PARTS if getattr(cond, name) is not None))


@dataclass(frozen=True)
class Graph:
    """A network as onnxruntime computes it; what it was not written for, `plain` computes: other parts of a condition,
    other sizes, a gradient."""

    session: Any
    plain: Network
    shapes: Mapping[str, Sequence[Any]]

    def __call__(self, x: Tensor, log_snr: Tensor, cond: Condition) -> Tensor:
        given = [x, log_snr, *(getattr(cond, name) for name in PARTS if getattr(cond, name) is not None)]
        named = dict(zip(names_of(cond), given, strict=True))
        if not self._takes(named):
            return self.plain(x, log_snr, cond)
        plain = {name: value.float() if value.is_floating_point() else value for name, value in named.items()}
        [out] = self.session.run(None, {name: value.contiguous().numpy() for name, value in plain.items()})
        return torch.from_numpy(out)

    def _takes(self, named: Mapping[str, Tensor]) -> bool:
        if set(named) != set(self.shapes) or (torch.is_grad_enabled() and named["x"].requires_grad):
            return False
        if any(value.dtype == torch.float64 or value.device.type != "cpu" for value in named.values()):
            return False
        return all(_fits(value.shape, self.shapes[name]) for name, value in named.items())


def _fits(shape: Sequence[int], wanted: Sequence[Any]) -> bool:
    """Whether a tensor has the sizes of a graph's input, of which those that are free have names."""
    return len(shape) == len(wanted) and all(
        size == want or not isinstance(want, int) for size, want in zip(shape, wanted, strict=True)
    )


def open_graph(file: Path, plain: Network) -> Graph:
    """The graph of a file, by onnxruntime, with as many threads as torch has.

    Raises ImportError without onnxruntime.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = torch.get_num_threads(), 3
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    return Graph(session, plain, {one.name: one.shape for one in session.get_inputs()})


def draw_by(network: nn.Module, graph: Graph) -> None:
    """From now on the graph computes what the network would; its weights and their names stay where they are."""
    network.forward = graph


def draw_plainly(network: nn.Module) -> None:
    """From now on torch computes again; nothing changes where it does."""
    vars(network).pop("forward", None)


def take_graph(root: Path, stage: str, identity: str, module: nn.Module) -> bool:
    """Lets the graph of a stage compute in the place of its network, where one of these weights lies in the run.

    identity: of the stage's settings and weights. Raises ValueError that names the file where it is damaged.
    """
    head, network = root / FOLDER / HEAD, network_of(module)
    if network is None or not head.is_file() or find_spec("onnxruntime") is None:
        return False
    about = read_json(head, "what ONNX graphs are of; delete the folder, torch draws without it")
    stages = about.get("stages")
    entry = stages.get(stage) if is_table(stages) else None
    if about.get("format") != FORMAT or not is_table(entry) or entry.get("identity") != identity:
        return False
    file = head.parent / f"{stage}.onnx"
    if not file.is_file() or store.sha256(file) != entry.get("sha256"):
        raise ValueError(
            f"{file}: damaged or gone (its SHA-256 is not the one in {HEAD}); delete {head.parent}, or write it again "
            "with `unclip export`"
        )
    draw_by(network, open_graph(file, network.forward))
    return True
