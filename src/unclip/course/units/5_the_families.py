# %% [markdown]
# # 5. The families: VAE, GAN, flow, diffusion
#
# Four ways from noise z to an image x, trained on the same images: what each of them optimises, what it can tell, and
# what it costs.
#
# Diffusion models, normalizing flows, GANs and VAEs: they all convert noise z to a data sample x. They differ in what
# is known of the way.

# %%
from dataclasses import replace
from pathlib import Path

import torch
import torch.nn.functional as F
from PIL import Image

import unclip
from unclip import RunConfig, save_picture
from unclip.course import check, pictures, plots, scaled, show, terminal
from unclip.nn import UNetConfig
from unclip.recipes import DDPMRecipe, FlowRecipe, GANRecipe, VAERecipe

DATA = "shapes"  # drawn shapes; or the path of a folder of your own images
HERE = Path("unit-5")  # what this unit writes

folder = HERE / "pictures"
folder.mkdir(parents=True, exist_ok=True)
for i, each in enumerate(pictures(DATA, 16, 2000)):
    pixels = ((each + 1) * 127.5).round().byte().permute(1, 2, 0).numpy()
    save_picture(Image.fromarray(pixels), folder / f"{i:04d}.png")

# %% [markdown]
# ## VAE: a code with noise, and a bound
#
# A **variational autoencoder** (Kingma & Welling 2014) encodes x as a Gaussian q(z | x) = N(mu, diag s^2) and decodes
# z. Its loss bounds the likelihood: how badly x is told by z, and how much z is told:
#
# $$-\log p(x) \le E_{q}[-\log p(x|z)] + D(q(z|x)\,\|\,N(0, I))$$
#
# The diffusion's bound of unit 3 is the same one, with T codes as large as the image and a q that is not learned.
#
# **Exercise 5.1.** One cannot differentiate through "draw z from N(mu, s^2)". With eps ~ N(0, I) one can: write z
# from mu, log_variance = log s^2, and eps (tensors of one shape).


# %%
def draw_z(mu, log_variance, eps):
    return ...  # your turn


print(check("5.1", draw_z))

# %% [markdown]
# **Exercise 5.2.** D(N(mu, diag s^2) || N(0, I)) in nats, one number for each row of mu and log_variance, [b, d];
# compare 3.4.


# %%
def rate(mu, log_variance):
    return ...  # your turn: a tensor, [b]


print(check("5.2", rate))

# %% [markdown]
# ## Flow: a way that can be walked backwards
#
# A **normalizing flow** is a function x = g(z) that can be inverted, so that the likelihood is exact: the density of
# z, and how g stretches space there,
#
# $$\log p(x) = \log N(z; 0, I) + \log\Big|\det\frac{\partial z}{\partial x}\Big|, \qquad z = g^{-1}(x)$$
#
# How is a network inverted? It is not. A **coupling** (RealNVP, Dinh et al. 2017) leaves one half as it is, and lets
# a network *of that half* scale and shift the other: y_1 = x_1, y_2 = x_2 exp(s(x_1)) + t(x_1). Its Jacobian is
# triangular, and its determinant the product of the scales.
#
# **Exercise 5.3.** Invert it. `y_1`, `y_2` are tensors [b, d]; `network(y_1)` gives (s, t).


# %%
def coupling_back(y_1, y_2, network):
    return ...  # your turn: (x_1, x_2)


print(check("5.3", coupling_back))

# %% [markdown]
# **Exercise 5.4.** The logarithm of the absolute determinant of the way forward, x to y, for each row, from s, [b,
# d].


# %%
def log_determinant(s):
    return ...  # your turn: a tensor, [b]


print(check("5.4", log_determinant))

# %% [markdown]
# ## GAN: no likelihood at all
#
# A **GAN** (Goodfellow et al. 2014) never asks how likely an image is. A critic D learns to tell drawn images from
# real ones, and the generator to be taken for real. `unclip` plays R3GAN's game (Huang et al. 2024): what counts is
# by how much a real image is rated above a drawn one *that it is paired with*. With f(r) = log(1 + e^-r) the critic
# minimises the mean of f(D(real) - D(drawn)), and the generator the same with the two changed.
#
# **Exercise 5.5.** Write both losses from the ratings, tensors [b]. Return (critic's, generator's). Where both
# ratings are equal, each is log 2.


# %%
def game(of_real, of_drawn):
    return ...  # your turn: two numbers


print(check("5.5", game))

# %% [markdown]
# ## Train all four
#
# The same images, and about the same time on one core. The gates at the end say what each has reached; two minutes are
# little for all of them. A GAN may *collapse*, that is, draw a few images again and again: this is measured, and
# stops its run.

# %%
recipes = {
    "ddpm": DDPMRecipe(network=UNetConfig(patch=2, widths=(48, 96), blocks=(1, 2), attention=(False, True))),
    "vae": VAERecipe(),
    "flow": FlowRecipe(),
    "gan": GANRecipe(augment="off"),  # of 2,000 images it learns none by heart in so few steps
}
steps = {"ddpm": 900, "vae": 1000, "flow": 500, "gan": 1500}
runs = []
for name, recipe in recipes.items():
    recipe = replace(recipe, train=replace(recipe.train, steps=scaled(steps[name])))
    config = RunConfig(model=name, size=16, recipes={name: recipe})
    try:
        runs.append(unclip.train(folder, HERE / name, config=config, force=True))
    except ValueError as error:  # a collapse, with what helps
        print(f"{name}: {error}")
        continue
    print(name)
    show(unclip.load(runs[-1]).generate(n=16, seed=0))

# %% [markdown]
# After about two minutes each: the diffusion draws things of every colour, sharp and ragged; the VAE has places and
# sizes, blurs, and has found no colours yet, since the mean of all of them costs its bound least; the flow has bright
# scraps and many empty images; the GAN has clear blots of a few colours, and no yellow, no blue: it is sharp where it
# is, and nothing tells it what it leaves out. If it was stopped because nearly all its images are one, that is what a
# collapse looks like from outside, and the table below has three columns.

# %% [markdown]
# ## Side by side
#
# One table: what a way costs in each direction, what is known of the likelihood, and how the images compare with
# held-out ones. (`docs/families.md` explains every row, and has the same for longer trainings.)

# %%
terminal(f"unclip compare {' '.join(map(str, runs))} -n 32 --features supervised --out {HERE / 'compared'}")

# %%
for path in sorted((HERE / "compared").rglob("*.png")):
    with Image.open(path) as picture:
        show(
            picture.convert("RGB").resize(
                (min(picture.width, 900), picture.height * min(picture.width, 900) // picture.width)
            )
        )

# %% [markdown]
# Read the rows of the picture: the way from one z to another, and held-out images after the way to z and back. A flow
# gives an image back exactly, a diffusion nearly; a VAE gives what its code has room for; a GAN cannot be asked.
#
# **Exercise 5.6.** Which of the four has an *exact* likelihood in one pass: "vae", "flow", "gan" or "ddpm"?

# %%
exact = ...  # your turn
print(check("5.6", exact))

# %% [markdown]
# ## Temperature
#
# Where an image is drawn in one pass, z can be drawn from N(0, t^2 I): below 1, images are more typical and less
# varied.

# %%
figure, panels = plots(1, 5, 3)
spread = {}
for run in runs:
    model = unclip.load(run)
    if not isinstance(model, unclip.DDPMPipeline):
        values = []
        for t in (0.2, 0.6, 1.0):
            made = model.generate(n=16, seed=0, settings=unclip.Settings(temperature=t))
            x = torch.cat([unclip.read_image(each, 16).images for each in made])
            values.append(F.pdist(x.flatten(1)).mean().item())
        panels[0].plot((0.2, 0.6, 1.0), values, "o-", label=run.name)
panels[0].set_xlabel("temperature")
panels[0].set_ylabel("mean distance of 16 images")
panels[0].legend()
show(figure)

# %% [markdown]
# **Where to go on.** `docs/families.md`. The next unit is about words.
