"""A device for tests that is not the CPU and refuses float64, as Apple's GPUs do, with real numbers behind its tensors.

This torch cannot move to "mps" without the hardware, so the device goes by a name that it can: "meta". Inside
`fake_gpu`, what is made there, or moved there, says that it lies there. An operation on it runs on the CPU, but raises
TypeError where it would give float64, and RuntimeError where it meets a tensor that was left on the CPU, as real ones
do (a single number may lie on the CPU).
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map_only

from unclip.core.noise import Noise

GPU = torch.device("meta")
AWAY = {torch.ops.aten._to_copy.default, torch.ops.aten.copy_.default, torch.ops.aten._local_scalar_dense.default}


class Fake(Tensor):
    """A tensor on the device; `held` has its numbers."""

    held: Tensor

    @staticmethod
    def __new__(cls, held: Tensor) -> "Fake":
        if held.dtype == torch.float64:
            raise TypeError("this device has no float64")
        made = Tensor._make_wrapper_subclass(  # pyright: ignore
            cls, held.shape, held.stride(), held.storage_offset(), dtype=held.dtype, device=GPU
        )
        made.held = held
        return made

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return computed(func, args, kwargs or {})

    def __repr__(self) -> str:  # pyright: ignore
        return f"Fake({self.held})"

    def tolist(self) -> Any:
        return self.held.tolist()

    def numpy(self, **_: Any) -> Any:
        raise TypeError("can't convert meta:0 device type tensor to numpy")


def computed(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """Runs an operation on the numbers behind, and puts what comes of it where it belongs."""
    tensors = [x for x in tree_flatten((args, kwargs))[0] if isinstance(x, Tensor)]
    fakes = [x for x in tensors if isinstance(x, Fake)]
    strays = [x for x in tensors if not isinstance(x, Fake) and x.dim()]
    if fakes and strays and func not in AWAY and "index" not in func.__name__:
        raise RuntimeError(f"{func}: expected all tensors on one device, found meta and cpu")
    where = kwargs.get("device")
    there = bool(fakes) if where is None else torch.device(where).type == GPU.type
    if where is not None:
        kwargs = {**kwargs, "device": torch.device("cpu")}
    args, kwargs = tree_map_only(Fake, lambda x: x.held, (args, kwargs))
    found = func(*args, **kwargs)
    if not there or func is torch.ops.aten._local_scalar_dense.default:
        return found
    inplace = func.__name__.split(".")[0].endswith("_") and fakes and isinstance(found, Tensor)
    if inplace and found is fakes[0].held:
        return fakes[0]
    return tree_map_only(Tensor, Fake, found)


class _Factories(TorchDispatchMode):
    """What is made on the device from nothing."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return computed(func, args, kwargs or {})


class _FromLists(TorchFunctionMode):
    """What is made there from Python's numbers, which no operation sees."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        device = kwargs.get("device", args[0].device if func is Tensor.new_tensor else None)
        makes = func in (torch.tensor, torch.as_tensor, Tensor.new_tensor)
        if makes and torch.device(device or "cpu").type == GPU.type:
            like = {"dtype": args[0].dtype} if func is Tensor.new_tensor else {}
            return torch.tensor(args[-1], **{**like, **kwargs, "device": "cpu"}).to(GPU)
        return func(*args, **kwargs)


def moved(module: nn.Module) -> nn.Module:
    """The module with its parameters and buffers there."""
    for part in module.modules():
        for name, parameter in part._parameters.items():
            if parameter is not None:
                part._parameters[name] = nn.Parameter(Fake(parameter.detach().clone()), parameter.requires_grad)
        for name, buffer in part._buffers.items():
            if buffer is not None:
                part._buffers[name] = Fake(buffer.clone())
    return module


@contextmanager
def fake_gpu() -> Iterator[None]:
    """Inside, "meta" is a device without float64, and `Noise` draws there."""

    def on_gpu(self: Noise, shape: Any, make: Any, common: bool = False) -> Tensor:
        here = replace(self, device=torch.device("cpu"))
        if not hasattr(self, "_here"):
            object.__setattr__(self, "_here", here)
        return plain(self._here, shape, make, common).to(self.device)  # pyright: ignore

    plain, autocast = Noise._draw, torch.autocast
    with pytest.MonkeyPatch.context() as patch, _Factories(), _FromLists():
        patch.setattr("unclip.core.wide.LACKS_FLOAT64", {GPU.type})
        patch.setattr(
            torch, "autocast", lambda kind, *args, **kwargs: autocast(kind.replace(GPU.type, "cpu"), *args, **kwargs)
        )
        patch.setattr("unclip.core.machine.device", lambda: GPU.type)
        fused = "_get_fused_kernels_supported_devices"  # mps is among them
        patch.setattr(sys.modules["torch.optim.optimizer"], fused, lambda: ["cpu", GPU.type])
        patch.setattr(torch.__future__, "get_overwrite_module_params_on_conversion", lambda: True)  # Module.to wraps
        patch.setattr(Noise, "_draw", on_gpu)
        yield
