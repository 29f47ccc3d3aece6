"""A user's picture file, of any size and mode, as a tensor of the model's size."""

from pathlib import Path

from unclip.core.typing import Images
from unclip.data.decode import decode
from unclip.data.loader import to_tensor


def read_picture(path: Path, size: int) -> Images:
    """A picture as the model would have seen it in training: its centre square, [1, 3, size, size] in [-1, 1].

    Turned as EXIF says, transparency laid over white. Raises ValueError that names the file where there is none, it
    cannot be opened, or it is damaged or no picture.
    """
    if path.is_dir():
        raise ValueError(f"{path}: is a folder; name a picture")
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise ValueError(f"{path}: no such picture") from error
    except OSError as error:
        raise ValueError(f"{path}: cannot be read ({error.strerror}); check its permissions") from error
    try:
        return to_tensor(decode(data, size)[None])
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
