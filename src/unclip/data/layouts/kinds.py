"""The names of the layouts; light, because `--help` shows them."""

from typing import Literal, get_args

Layout = Literal["metadata", "text", "folders", "names", "pictures", "parquet", "tar"]
"""Where captions come from: metadata files, a file beside each image, folder names, file names, nowhere, tables,
tar shards."""
Captions = Literal["auto", "metadata", "text", "folders", "names", "parquet", "tar"]
"""What can be asked for; auto: found out."""

Fit = Literal["crop", "pad"]
"""What becomes of an image that is not square: its middle, or all of it on its background."""
CROP: Fit = "crop"
FITS: tuple[Fit, ...] = get_args(Fit)

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)
"""Parts of a data set: to train on, to choose by, and to publish."""
