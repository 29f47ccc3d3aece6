"""The networks that denoise, as ONNX graphs: what is drawn with them is compared with what torch draws, and timed.

Everything around a network stays where it is: schedules, guidance and samplers are torch's, so a graph serves any of
them. Inputs are x, log_snr and those parts of a condition that the network is told, the batch free, and the number of
tokens where there are such.
"""

import json
import logging
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn

from unclip.core.condition import Condition
from unclip.core.disk import store
from unclip.core.imports.missing import install
from unclip.generation.base import ImageModel
from unclip.generation.settings import Settings
from unclip.runs.exported import FORMAT, HEAD, PARTS, Graph, draw_by, draw_plainly, names_of, network_of, open_graph

PACKAGES = ("onnx", "onnxruntime", "onnxscript")
SEEDS = (0, 1)
"""A picture each for a prompt, drawn with and without the graphs."""
REPEATS = 5
STEPS = 8
"""Fewer than a picture takes: enough to see whether errors grow."""


@dataclass(frozen=True)
class Told:
    """What is known of a graph. faster: torch's time over its own for one evaluation; off: the largest difference of an
    output, over the largest output."""

    stage: str
    faster: float
    off: float


@dataclass(frozen=True)
class Call:
    """What a network was called with."""

    x: Tensor
    log_snr: Tensor
    cond: Condition


class _Plain(nn.Module):
    """A network that takes tensors alone."""

    def __init__(self, network: nn.Module, parts: Sequence[str]) -> None:
        super().__init__()
        self.network, self.parts = network, parts

    def forward(self, x: Tensor, log_snr: Tensor, *parts: Tensor) -> Tensor:
        return self.network(x, log_snr, Condition(**dict(zip(self.parts, parts, strict=True))))


def write(model: ImageModel, folder: Path, prompts: Sequence[str]) -> tuple[list[Told], float]:
    """Writes a graph for each stage of the model that denoises, and HEAD.

    Returns what is known of them, and the largest difference of a pixel, in [-1, 1], between pictures with them and
    without.

    prompts: what those pictures show. Raises ValueError where the packages are missing, or nothing denoises.
    """
    if missing := [name for name in PACKAGES if find_spec(name) is None]:
        raise ValueError(install("ONNX graphs need", *missing))
    stages = model.stages.named()
    networks = {name: found for name, (module, _) in stages.items() if (found := network_of(module)) is not None}
    if not networks:
        raise ValueError("nothing of this run denoises, and only such networks are written as graphs")
    for network in networks.values():
        draw_plainly(network)  # the run may have graphs already
    plain, calls = recorded(networks, lambda: drawn(model, prompts))
    graphs = {name: _written(network, calls[name], folder / f"{name}.onnx") for name, network in networks.items()}
    found = [_told(name, network, graphs[name], calls[name]) for name, network in networks.items()]
    for name, network in networks.items():
        draw_by(network, graphs[name])
    off = float((drawn(model, prompts) - plain).abs().max())
    entries = {
        one.stage: {
            "sha256": store.sha256(folder / f"{one.stage}.onnx"),
            "identity": stages[one.stage][1],
            "faster": one.faster,
        }
        for one in found
    }
    head = {"format": FORMAT, "model": model.hash, "stages": entries}
    (folder / HEAD).write_text(json.dumps(head, indent=1) + "\n", encoding="utf-8")
    return found, off


def drawn(model: ImageModel, prompts: Sequence[str]) -> Tensor:
    """Pictures in few steps, [n, c, h, w] in [-1, 1]."""
    wanted = model.expand_request(prompts, len(SEEDS), SEEDS[0])
    return model.sample_images([p for p, _ in wanted], [s for _, s in wanted], Settings(steps=STEPS)).float()


def recorded(networks: Mapping[str, nn.Module], draw: Callable[[], Tensor]) -> tuple[Tensor, dict[str, Call]]:
    """What is drawn, and what each network is first called with on the way."""
    calls: dict[str, Call] = {}

    def keep(name: str) -> Callable[[nn.Module, tuple[Any, ...]], None]:
        return lambda _, given: calls.setdefault(name, Call(*given)) and None

    hooks = [network.register_forward_pre_hook(keep(name)) for name, network in networks.items()]
    try:
        return draw(), calls
    finally:
        for hook in hooks:
            hook.remove()


def _written(network: nn.Module, call: Call, file: Path) -> Graph:
    """Writes the graph of a network; returns it as onnxruntime opens it."""
    parts = [name for name in PARTS if getattr(call.cond, name) is not None]
    tensors = (call.x, call.log_snr, *(getattr(call.cond, name) for name in parts))
    with _quiet():
        found = torch.onnx.export(
            _Plain(network, parts).eval(),
            tensors,
            dynamo=True,
            input_names=list(names_of(call.cond)),
            output_names=["out"],
            dynamic_shapes=(*map(_free, ("x", "log_snr")), tuple(map(_free, parts))),
            verbose=False,
        )
    assert found is not None
    for node in found.model.graph.all_nodes():
        node.metadata_props.clear()  # the paths of this machine's sources
    file.write_bytes(found.model_proto.SerializeToString())
    return open_graph(file, network.forward)


def _free(part: str) -> dict[int, Any]:
    """The dimensions of an input that may have any size: the batch, and the number of tokens."""
    batch = {0: torch.export.Dim.DYNAMIC}
    return batch | {1: torch.export.Dim.AUTO} if part in ("tokens", "mask", "words") else batch


def _told(stage: str, network: nn.Module, graph: Graph, call: Call) -> Told:
    """Times a network and its graph in turns, on what it was called with, and compares what they return."""
    ways = (network, graph)
    taken: tuple[list[float], list[float]] = ([], [])
    outs: list[Tensor] = []
    with torch.no_grad():
        for _ in range(REPEATS):
            for way, times in zip(ways, taken, strict=True):
                began = time.perf_counter()
                outs.append(way(call.x, call.log_snr, call.cond))
                times.append(time.perf_counter() - began)
    off = float((outs[0] - outs[1]).abs().max() / outs[0].abs().max().clamp_min(1e-12))
    return Told(stage, round(median(taken[0]) / median(taken[1]), 2), off)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what the exporter says of its own work."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)
