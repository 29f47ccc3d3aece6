# %% [markdown]
# # 8. From your own data to a shared model
#
# Look at the data, train, judge honestly, find out whether the model only knows its images by heart, serve it, hand
# it on.
#
# The model here draws images without words, so that minutes suffice. With captions beside your images, the same
# commands without `--model ddpm` train a DALL-E 2, and everything below is asked in the same way.

# %%
import base64
import io
import json
import socket
import subprocess
import sys
import time
import urllib.request
from dataclasses import replace
from pathlib import Path

import torch
from PIL import Image

import unclip
from unclip import RunConfig, save_picture
from unclip.course import captioned, check, plots, scaled, show, terminal
from unclip.nn import UNetConfig
from unclip.recipes import DDPMRecipe

DATA = "shapes"  # drawn shapes; or the path of a folder of your own images
HERE = Path("unit-8")  # what this unit writes
SIDE = 16

# %% [markdown]
# ## The data
#
# A folder of images, and beside each, where there are captions, a text file of the same name. That is all
# (`docs/data.md` has the other forms). Ask what `unclip` finds before anything is trained: what is damaged, missing,
# twice there, or ambiguous.

# %%
images, captions = captioned(DATA, SIDE, 500)
folders = {"many": HERE / "many", "few": HERE / "few"}
for name, n in (("many", 400), ("few", 30)):
    folders[name].mkdir(parents=True, exist_ok=True)
    for i in range(min(n, len(images))):
        pixels = ((images[i] + 1) * 127.5).round().byte().permute(1, 2, 0).numpy()
        save_picture(Image.fromarray(pixels), folders[name] / f"{i:03d}.png")
        (folders[name] / f"{i:03d}.txt").write_text(captions[i] or "an image", encoding="utf-8")
terminal(f"unclip data {folders['many']}")

# %% [markdown]
# **Exercise 8.1.** How often does training see each image? From the number of images, of steps, and of images in a
# batch. (This number decides more than any other whether a model learns its images by heart.)


# %%
def passes(images, steps, batch):
    return ...  # your turn: a number


print(check("8.1", passes))

# %% [markdown]
# ## Two trainings
#
# The same network and the same number of steps, once on 400 images, once on 30. (`unclip doctor` says beforehand what
# a training takes, and whether it can work. With `workers=1` all cores share each operation: as fast as a share of the
# batch for each, and of the machine less is taken.)

# %%
STEPS = scaled(1000)
recipe = DDPMRecipe(network=UNetConfig(patch=2, widths=(48, 96), blocks=(1, 2), attention=(False, True)))
recipe = replace(recipe, train=replace(recipe.train, steps=STEPS), sampling=replace(recipe.sampling, steps=25))
config = RunConfig(model="ddpm", size=SIDE, workers=1, recipes={"ddpm": recipe})
runs, drawn = {}, {}
for name, folder in folders.items():
    runs[name] = unclip.train(folder, HERE / f"run-{name}", config=config, force=True)
    drawn[name] = unclip.load(runs[name]).generate(n=32, seed=100)
    print(name)
    show(drawn[name][:16])

# %% [markdown]
# Of drawn shapes, the model of 30 images seems the better one: its shapes are sharp, those of the other are coloured
# things on the way to a shape. Which of the two would you share? Look at what they have drawn it from.
#
# ## By heart?
#
# For each drawn image, how far is it to the nearest *training* image? That number alone says nothing: it needs
# something to be compared with. The fair comparison are **new real images**, which no one has copied. If what is
# drawn is clearly nearer to the training images than those are, it is copied.
#
# **Exercise 8.2.** From drawn images, [n, d], and training images, [m, d], the Euclidean distance from each drawn
# image to its nearest training image, [n].


# %%
def nearest(drawn, training):
    return ...  # your turn


print(check("8.2", nearest))

# %%
x = {
    name: torch.cat([unclip.read_image(each, SIDE).images for each in made]).flatten(1) for name, made in drawn.items()
}
train = {"many": images[:400].flatten(1), "few": images[:30].flatten(1)}
new = images[400:].flatten(1)  # real, and in neither folder
if not len(new):
    new = images[-len(images) // 5 :].flatten(1)
figure, panels = plots(2)
for panel, name in zip(panels, runs, strict=True):
    real = torch.cdist(new, train[name]).min(1).values
    made = torch.cdist(x[name], train[name]).min(1).values
    panel.hist([real.numpy(), made.numpy()], bins=15, density=True, label=["new real images", "drawn"])
    panel.set_title(f"{len(train[name])} images")
    panel.set_xlabel("distance to the nearest training image")
    panel.legend()
    print(f"{name}: drawn images lie at {made.median() / real.median():.2f} times the distance of new real ones")
show(figure)

# %%
by = torch.cdist(x["few"], train["few"])
order = by.min(1).values.argsort()[:6]
pairs = torch.stack([x["few"][order], train["few"][by[order].argmin(1)]], 1).view(-1, 3, SIDE, SIDE)
print("drawn by the model of 30 images, and the nearest of these, in pairs:")
show(pairs)

# %% [markdown]
# Read the two ratios together with the pictures. The model of 30 images has seen each a thousand times: it draws them,
# one by one, its ratio falls towards 0, and its loss looks better than ever. The model of 400 stays near 1, and what
# it draws is nowhere in its folder: that is the one to share, and more steps make its edges. (`docs/memorisation.md`
# has such runs: copying showed from about 140 passes over some dozen images.)
#
# `unclip evaluate` and every training of `unclip` measure this in the features of several judges as well, because
# pixels see a shifted copy as something new ([memorisation](https://arxiv.org/abs/2301.13188): Carlini et al. 2023).
#
# ## Judge honestly
#
# Three rules. Judge on images that were held out, which no choice has seen. Put a number beside every number: what
# real images get. And give the error of each, because 16 images are few.
#
# **Exercise 8.3.** The standard error of a mean: the standard deviation of the values (with n - 1), divided by the
# square root of n.


# %%
def standard_error(values):
    return ...  # your turn: a number, from a tensor [n]


print(check("8.3", standard_error))

# %%
scores = unclip.evaluate(runs["many"], n=16)
print(json.dumps({name: scores[name] for name in ("copies", "supervised") if name in scores}, indent=1)[:1800])

# %% [markdown]
# **Exercise 8.4.** Two settings were tried with the same eight seeds; their scores are a and b, tensors [8]. Is the
# difference clear? Take the mean of a - b over its standard error: if its amount is above 3, answer True. (Why of the
# differences, and not of each score? Because a hard seed is hard for both, and that cancels.)


# %%
def is_clear(a, b):
    return ...  # your turn: True or False


print(check("8.4", is_clear))

# %% [markdown]
# ## Serve it
#
# `unclip serve RUN` answers as the OpenAI Images API does, and shows a page in the browser. Here the model that ships
# is served, for a moment, and asked by what any program could send.

# %%
with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
address = f"http://127.0.0.1:{port}"
server = subprocess.Popen(
    [sys.executable, "-m", "unclip", "serve", "box:emoji", "--port", str(port)],
    stdout=subprocess.DEVNULL,
    stderr=subprocess.DEVNULL,
)


def ready() -> bool:
    try:
        return urllib.request.urlopen(f"{address}/readyz").status == 200
    except OSError:
        return False


for _ in range(240):
    if ready() or server.poll() is not None:
        break
    time.sleep(0.5)

# %% [markdown]
# **Exercise 8.5.** Write the body of `POST /v1/images/generations` as a dictionary: two images of a prompt, 64 x 64
# pixels, with a seed. The fields are called `prompt`, `n`, `size` (a text such as "32x32") and `seed`.


# %%
def body(prompt, seed):
    return ...  # your turn: a dictionary


print(check("8.5", body))

# %%
asked = {"prompt": "red heart", "n": 1, "seed": 7}
request = urllib.request.Request(
    f"{address}/v1/images/generations", json.dumps(asked).encode(), {"Content-Type": "application/json"}
)
try:
    answer = json.load(urllib.request.urlopen(request))
    show(Image.open(io.BytesIO(base64.b64decode(answer["data"][0]["b64_json"]))).resize((192, 192)))
    print({key: value for key, value in answer.items() if key != "data"})
finally:
    server.terminate()
    server.wait()

# %% [markdown]
# ## Hand it on
#
# A run holds the images that it was trained on; a packed one does not. Say where the images come from and under which
# licence the weights are: a model of images that you may not share may not be yours to share either.

# %%
terminal(f"unclip pack-run {runs['many']} {HERE / 'packed'}")
pushed = HERE / "pushed"
terminal(f"unclip push {runs['many']} me/shapes --dry-run --out {pushed} --license cc0-1.0 --data 'Drawn by unclip.'")
card = (pushed / "README.md").read_text(encoding="utf-8")
print(card[card.index("# ") :][:1500])

# %% [markdown]
# **That is the course.** From here: `docs/tutorial.md` with your own folder, `docs/evaluate.md` for what figures can
# and cannot say, `docs/memorisation.md`, `docs/serve.md`, `docs/share.md`.
