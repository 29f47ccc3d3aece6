# %% [markdown]
# # 1. What a diffusion model is
#
# Load a trained one, watch it draw, look inside; then train one of your own, write its card and pack it for others.
#
# This is the first unit of the Hugging Face diffusion course, without a network: nothing is downloaded, nothing is
# uploaded. A cell is run with Shift+Enter. Exercises say "your turn"; `check` tells you whether you are right, and
# `print(solution("1.1"))` shows one way.

# %%
from dataclasses import replace
from pathlib import Path

import torch
from PIL import Image

import unclip
from unclip import Noise, RunConfig, Settings, save_picture
from unclip.course import captioned, check, pictures, plots, rows, scaled, show, terminal
from unclip.diffusion import LinearBeta
from unclip.nn import UNetConfig
from unclip.recipes import DDPMRecipe

DATA = "shapes"  # drawn shapes; or the path of a folder of your own images, as "my-pictures"
HERE = Path("unit-1")  # what this unit writes
HERE.mkdir(exist_ok=True)

# %% [markdown]
# ## A trained one
#
# `unclip` ships with a small text-to-image model: it has seen 3,291 emoji with their names. A prompt and a seed give
# an image, always the same one.

# %%
model = unclip.load("box:emoji", kind=unclip.TextToImage)
prompts = ["red heart", "tulip", "pouting cat", "mushroom"]
show(model.generate(prompts, seed=1), prompts)

# %% [markdown]
# How does noise become a tulip? A **diffusion model** is trained on one question: *here is an image with noise on it;
# what was the noise?* To draw, it is given nothing but noise, x_T, and is asked again and again, and each time a
# little of what it calls noise is taken away: x_T, ..., x_t, x_{t-1}, ..., x_0.
#
# Below: above, the state x_t on the way; below it, what the network believes the clean image to be at that moment.
# The first answer, from noise alone, is a tulip already, since this network is told what to draw (unit 7); the rest
# of the way decides *which* tulip, and its details.

# %%
walk = list(model.steps(["tulip"], [1]))
seen = [walk[i] for i in (0, 4, 8, 12, 16, 23)]
show(rows(torch.cat([step.x for step in seen] + [step.x0 for step in seen]), columns=6))

# %% [markdown]
# ## Noise, in one line
#
# The way *to* noise needs no network. With a number alpha-bar_t between 1 (clean) and 0 (noise alone), the state at
# time t is
#
# $$x_t = \sqrt{\bar\alpha_t}\,x_0 + \sqrt{1-\bar\alpha_t}\,\epsilon, \qquad \epsilon \sim N(0, I)$$
#
# which is q(x_t | x_0) = N(sqrt(alpha-bar_t) x_0, (1 - alpha-bar_t) I), Eq. 4 of the paper (DDPM, Ho et al. 2020).
# Unit 3 derives it.
#
# **Exercise 1.1.** Your turn: write it. `eps` has the shape of `x0`, and `alpha_bar` is a number.


# %%
def add_noise(x0, alpha_bar, eps):
    return ...  # your turn


print(check("1.1", add_noise))

# %% [markdown]
# How large alpha-bar_t is at which t is called the **schedule**. DDPM's has T = 1000 steps. Here is one of your
# images on its way.

# %%
schedule = LinearBeta()
images, captions = captioned(DATA, 32, 400)
alpha_bar = schedule.log_alpha_bar.exp().float()  # T = 1000 numbers
times = [0, 50, 150, 300, 500, 999]
noise = Noise.shared(0, "unit 1").normal(images[:1].shape)
show(torch.cat([alpha_bar[t].sqrt() * images[:1] + (1 - alpha_bar[t]).sqrt() * noise for t in times]).float())

figure, (left,) = plots(1, 6)
left.plot(alpha_bar.sqrt(), label="sqrt(alpha-bar), the share of the image")
left.plot((1 - alpha_bar).sqrt(), label="sqrt(1 - alpha-bar), the share of the noise")
left.set_xlabel("t")
left.legend()
show(figure)

# %% [markdown]
# **Exercise 1.2.** From which t on is there more noise than image, that is, where does sqrt(1 - alpha-bar_t) first
# exceed sqrt(alpha-bar_t)? Count t as the plot does, from 0 to 999. `alpha_bar` is there, from the cell above.

# %%
more_noise = ...  # your turn: a whole number
print(check("1.2", more_noise))

# %% [markdown]
# ## Look inside
#
# The text-to-image model is four networks and a tokenizer; the last of them, the decoder, is a diffusion model of
# images. Units 6 and 7 are about the others. The 24 steps above were 24 questions to the decoder, each twice, with
# and without the prompt (unit 4).

# %%
for part in ("clip", "prior", "decoder"):
    network = getattr(model, part)
    print(f"{part:8} {sum(p.numel() for p in network.parameters()):>10,} numbers were learned")
print(model.sampling)

# %% [markdown]
# **Exercise 1.3.** Draw "tulip" twice, with seed 1 and with seed 2. Then with seed 1 in 24 and in 8 steps. What does
# the seed decide? Answer "noise" if it decides where the walk begins and what noise is added on it, "weights" if it
# changes what the network knows, "steps" if it sets their number.

# %%
show(model.generate(["tulip"], n=2, seed=1) + model.generate(["tulip"], seed=1, settings=Settings(steps=8)))

# %%
the_seed_decides = ...  # your turn: "noise", "weights" or "steps"
print(check("1.3", the_seed_decides))

# %% [markdown]
# ## Train your own
#
# A plain diffusion model needs images alone. Those of `DATA` are written into a folder, 16 px wide so that a
# few minutes are enough, and `unclip.train` does the rest: it holds some images back, trains, keeps an average of the
# weights, and at the end a **gate** measures whether what it draws is an image or noise. In a terminal one would type
# `unclip train unit-1/pictures --preset ddpm-fast --size 16 --budget 20m --out unit-1/run`; here the network is
# smaller, and the steps are counted.

# %%
folder = HERE / "pictures"
folder.mkdir(exist_ok=True)
for i, each in enumerate(pictures(DATA, 16, 400)):
    pixels = ((each + 1) * 127.5).round().byte().permute(1, 2, 0).numpy()
    save_picture(Image.fromarray(pixels), folder / f"{i:03d}.png")

losses = []


def listen(event):
    if isinstance(event, unclip.Progress):
        losses.append(event.report.loss)
    elif isinstance(event, unclip.Gate):
        print(f"{event.stage}: {'passed' if event.passed else 'did not pass'}: {event.why}")


recipe = DDPMRecipe(network=UNetConfig(patch=2, widths=(48, 96), blocks=(1, 2), attention=(False, True)))
recipe = replace(recipe, train=replace(recipe.train, steps=scaled(1400)))
config = RunConfig(model="ddpm", size=16, recipes={"ddpm": recipe})
run = unclip.train(folder, HERE / "run", config=config, force=True, on_event=listen)

# %% [markdown]
# The loss is the mean square of (noise - predicted noise), weighted. Look at it twice: all the progress of the second
# half is in the logarithm.

# %%
figure, (left, right) = plots(2)
left.plot(losses)
left.set_title("loss")
right.plot(losses)
right.set_yscale("log")
right.set_title("the same, logarithmic")
show(figure)

# %%
mine = unclip.load(run)
show(mine.generate(n=16, seed=7))

# %% [markdown]
# They have the colours of the data and the white around them; edges and corners come last. Train longer by the same
# lines: more steps, and another folder in place of `HERE / "run"`.
#
# **Exercise 1.4.** `mine.steps([""], [seed])` yields the steps of the walk; each has `.x` and `.x0`. Write a function
# that takes a model and a seed and returns the mean absolute distance between x0 at the **first** step and the
# finished image, as a number. It says how much of the image the first answer did not know yet.


# %%
def first_guess_is_wrong_by(model, seed):
    return ...  # your turn


print(check("1.4", first_guess_is_wrong_by))

# %% [markdown]
# ## Its card, and sharing it
#
# What a person should know of a model before using it stands on its **card**: what it was trained on, how long, how
# it was judged, what it cannot do. `unclip push` writes it from what the run knows; `--dry-run` makes the whole
# folder that would be uploaded, and uploads nothing.

# %%
terminal(f"unclip push {run} me/my-first --dry-run --out {HERE / 'pushed'} --license cc0-1.0 --data 'Drawn by unclip.'")
print(*sorted(path.relative_to(HERE).as_posix() for path in (HERE / "pushed").rglob("*") if path.is_file()), sep="\n")

# %%
print((HERE / "pushed" / "README.md").read_text(encoding="utf-8")[:2500])

# %% [markdown]
# With a network and an account, `hf auth login` and the same line without `--dry-run` put it on the Hugging Face Hub.
# Without one, hand the folder on: it is a run, and whoever has unclip loads it by its path.
#
# **Exercise 1.5.** A model that was handed on should draw exactly the same. Write a function that says whether two
# images are the same in size and in every pixel (`image.size`, `image.tobytes()`); the cell then compares what you
# packed with what you trained.


# %%
def same_image(first, second):
    return ...  # your turn: True or False


print(verdict := check("1.5", same_image))
[theirs], [ours] = unclip.load(HERE / "pushed").generate(n=1, seed=7), mine.generate(n=1, seed=7)
if verdict.right:
    print("the packed model draws the same image:", same_image(theirs, ours))

# %% [markdown]
# **Where to go on.** Unit 2 writes all of this from scratch, in a hundred lines.
