"""A DDPM of your own images: trained for ten seconds, and sixteen new images drawn by it.

python examples/03_ddpm_on_your_folder.py FOLDER

FOLDER holds images (PNG, JPEG, ...), in folders or not; captions are not needed. Ten seconds teach a model colours
and blots: say BUDGET = "30m" and another RUN for images. Run again, it draws more from the model that is there.
"""

import sys
from pathlib import Path

import unclip
from unclip import Gate, Note, Progress, save_picture, tile

RUN, SIZE, BUDGET = Path("runs/ddpm"), 16, "10s"


def show(event: object) -> None:
    """What a run tells is an event; those that are not looked at here say which images were written."""
    if isinstance(event, Note):
        print(f"{event.stage}: {event.text}")
    elif isinstance(event, Progress) and event.report.step % 50 == 0:
        print(f"{event.share:4.0%}  step {event.report.step}  loss {event.report.loss:.3f}")
    elif isinstance(event, Gate):
        print(f"{event.stage} {'passed' if event.passed else 'did not pass'}: {event.why}")


if len(sys.argv) != 2:
    sys.exit(__doc__)
# Ctrl-C saves; the same call continues, and returns at once where the run is finished.
run = unclip.train(sys.argv[1], RUN, preset="ddpm-fast", size=SIZE, budget=BUDGET, on_event=show)
pictures = unclip.load(run).generate(n=16, seed=len(list(run.glob("drawn-*.png"))) * 16)
path = run / f"drawn-{len(list(run.glob('drawn-*.png')))}.png"
save_picture(tile([picture.resize((96, 96)) for picture in pictures]), path)
print(f"drew {path}")
