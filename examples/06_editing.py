"""What a text-to-image model does to an image: paint a part of it anew, vary it, blend it, change a word.

python examples/06_editing.py RUN

RUN is a finished run, as `make demo` leaves one in runs/demo.
"""

import sys
from pathlib import Path

from PIL import Image

import unclip
from unclip import Settings, TextToImage, grid, save_picture

if len(sys.argv) != 2:
    sys.exit(__doc__)
run, how = Path(sys.argv[1]), Settings(steps=12)
model = unclip.load(run, kind=TextToImage)  # an error that says what the run holds, where it is something else
before, after = "a large red circle", "a large blue square"

first, second = model.generate([before, after], settings=how)
print(f"drew {before!r} and {after!r}; each carries what made it: seed {first.info['unclip']['seed']}")

half = Image.new("L", first.size)  # white: painted anew; black: stays, to the last bit
half.paste(255, (first.width // 2, 0, first.width, first.height))
edited = unclip.edit(model, first, half, after, n=4, settings=how)
kept = first.crop((0, 0, first.width // 2, first.height))
same = all(picture.crop((0, 0, *kept.size)).tobytes() == kept.tobytes() for picture in edited)
print(f"the right half painted anew as {after!r}, four times; the left half is the same: {same}")

varied = unclip.vary(model, first, n=4, settings=how)
print("varied: the same embedding, other noise")
blended = unclip.blend(model, first, second, n=4, settings=how)
print("blended: on the way from one image to the other")
changed = unclip.diff(model, first, before, after, n=4, settings=how)
print(f"changed: by the difference of the words, from {before!r} to {after!r}")

rows = {"edit": edited, "vary": varied, "blend": blended, "diff": changed}
sheet = grid([[first, *pictures] for pictures in rows.values()], list(rows), zoom=max(1, 96 // first.width))
save_picture(sheet, Path("editing.png"))
print("drew editing.png")
