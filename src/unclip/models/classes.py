"""The classes of models of images alone: names, numbers, one-hot vectors."""

import torch.nn.functional as F

from unclip.core.typing import Float, Int, Tensor

Labels = Int[Tensor, " b"]
"""The number of each image's class; -1: none."""
NO_CLASS = -1


def one_hot(labels: Labels, count: int) -> Float[Tensor, "b k"]:
    """A row a label of `count` numbers; zeros for `NO_CLASS`."""
    if not count:
        return labels.new_zeros((len(labels), 0)).float()
    return (F.one_hot(labels.clamp(min=0), count) * (labels >= 0)[:, None]).float()


def check_names(classes: tuple[str, ...]) -> None:
    """Raises ValueError where a name stands twice."""
    if len(set(classes)) < len(classes):
        raise ValueError(f"classes = {classes}: each name once")


def check_images(images: Tensor, shape: tuple[int, int, int]) -> None:
    """Raises ValueError, with the fix, for images of another size or channel count than the model's."""
    if tuple(images.shape[1:]) != shape:
        has, wants = (f"{h} x {w} px with {c} channels" for c, h, w in (tuple(images.shape[1:]), shape))
        raise ValueError(f"images of {has}: this model has {wants}; resize or convert them, or train another one")
