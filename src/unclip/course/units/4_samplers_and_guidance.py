# %% [markdown]
# # 4. Samplers, few steps, guidance
#
# One trained network, many ways to walk back: with noise or without, in 50 steps or in 6; and guidance, which trades
# variety for likeness.
#
# Nothing is trained here. In the plane the best possible answer of a network is known, so that a sampler's own error
# can be seen; then the emoji model that ships shows what remains of it in images.

# %%
import torch

import unclip
from unclip import Noise, Settings
from unclip.course import check, plots, show
from unclip.data import two_moons
from unclip.diffusion import (
    DDIM,
    Ancestral,
    DPMSolverPP2M,
    Empirical,
    Heun,
    Tabulated,
    UniformLogSNR,
    UniPC,
)

model = unclip.load("box:emoji", kind=unclip.TextToImage)

# %% [markdown]
# ## In the plane
#
# The data are 250 points on two half moons. For finitely many points E[x_0 | x_t] is known: it is a mean of the
# points, weighed by how likely each is to have become x_t (EDM, Karras et al. 2022, Eq. 57). `Empirical` is that
# denoiser; a sampler sees no difference to a network.

# %%
points = two_moons(250, Noise.shared(0, "unit 4"))
denoise = Empirical(points)
start = Noise.shared(1, "unit 4").normal((60, 2))


def walk(sampler, steps):
    """All states of 60 walks, from noise to the data."""
    grid = UniformLogSNR()(Tabulated((6.0, -6.0)), steps).float()
    return [start, *(step.x for step in sampler(denoise, start, grid, Noise.shared(2, "unit 4")))]


figure, panels = plots(3, 4, 4)
ways = {
    "Ancestral (Algorithm 2), 50 steps": (Ancestral(), 50),
    "DDIM, 50 steps": (DDIM(), 50),
    "DDIM, 6 steps": (DDIM(), 6),
}
for panel, (name, (sampler, steps)) in zip(panels, ways.items(), strict=True):
    states = torch.stack(walk(sampler, steps))
    panel.plot(*points.T, ".", color="#c6ccd3", markersize=3)
    panel.plot(states[:, :25, 0], states[:, :25, 1], linewidth=0.6)
    panel.plot(*states[-1].T, "o", color="#d55e00", markersize=3)
    panel.set_title(name, fontsize=10)
    panel.set_xlim(-3, 3)
    panel.set_ylim(-3, 3)
show(figure)

# %% [markdown]
# Left, fresh noise at every step: the ways tremble. In the middle none: the ways are smooth curves, solutions of a
# differential equation, the **probability-flow ODE** (Song et al. 2021b). A solver of an equation may take long steps
# where the curve is nearly straight; right, it cuts the corners.
#
# Between the two lies a family (DDIM, Song et al. 2021a, Eq. 12 and 16): each step predicts x_0, and goes to
#
# $$x_s = \sqrt{\bar\alpha_s}\,\hat x_0 + \sqrt{1-\bar\alpha_s-\sigma^2}\;\epsilon_\theta + \sigma z, \qquad
# \sigma = \eta\,\sqrt{\tfrac{1-\bar\alpha_s}{1-\bar\alpha_t}}\,\sqrt{1-\tfrac{\bar\alpha_t}{\bar\alpha_s}}$$
#
# With eta = 0 it is DDIM; with eta = 1 it is DDPM with the posterior's variance.
#
# **Exercise 4.1.** Write sigma. At eta = 1, sigma^2 must be the beta-tilde of unit 3.


# %%
def fresh_noise(eta, alpha_bar_t, alpha_bar_s):
    return ...  # your turn: a number


print(check("4.1", fresh_noise))

# %% [markdown]
# ## Orders
#
# How far from the exact end of the curve does a solver arrive? The end itself is computed with 1,500 steps. DDIM is
# Euler's method in disguise, of **order** one: twice the steps, half the error. Heun's method asks twice a step. The
# multistep methods (DPM-Solver++ 2M, Lu et al. 2022b; UniPC, Zhao et al. 2023) remember earlier answers and ask once.
# So they are compared at the same number of *questions*, because these are what costs.

# %%
exact = walk(Heun(), 1500)[-1]
asked = (6, 10, 20, 40, 80)
solvers = {"DDIM": (DDIM(), 1), "Heun": (Heun(), 2), "DPM-Solver++ 2M": (DPMSolverPP2M(), 1), "UniPC": (UniPC(), 1)}
figure, (left,) = plots(1, 6.5, 4)
errors = {}
for name, (solver, cost) in solvers.items():
    errors[name] = [(walk(solver, n // cost)[-1] - exact).norm(dim=1).median().item() for n in asked]
    left.loglog(asked, errors[name], "o-", label=name)
    print(f"{name:16}", "  ".join(f"{error:.4f}" for error in errors[name]))
left.set_xlabel("questions to the network")
left.set_ylabel("median distance to the exact end")
left.legend()
show(figure)

# %% [markdown]
# **Exercise 4.2.** A solver of order p has an error proportional to N^-p for N steps. Given the error with N and with
# 2 N steps, return p.


# %%
def order(error, error_of_twice_the_steps):
    return ...  # your turn: a number


print(verdict := check("4.2", order))
if verdict.right:
    for name, found in errors.items():
        print(f"{name:16}", order(found[-2], found[-1]))

# %% [markdown]
# ## In images
#
# The same for emoji, each row from the same noise. A deterministic sampler goes to one image: look at where each row
# stops changing. From 8 questions on there is little to see. That is far fewer than in the plane's figures, because a
# network's own error is larger than a good solver's from some 10 to 20 questions on: this is why no one takes 1,000
# steps. And the order of the plane need not hold at the very left: at 4 steps DPM-Solver++, which extrapolates from
# the answer before, overshoots, and plain DDIM does not.

# %%
few = (4, 8, 16, 32)
for name in ("ddim", "dpmpp-2m"):
    images = []
    for steps in few:
        images += model.generate(["tulip", "pouting cat"], seed=3, settings=Settings(steps=steps, sampler=name))
    print(f"{name}: {few} steps")
    show(images, [f"{steps}" for steps in few for _ in range(2)])

# %% [markdown]
# ## Guidance
#
# In training the prompt was hidden from one image in ten, so the network knows both epsilon(x_t, t, prompt) and
# epsilon(x_t, t) without. Their difference says what the prompt changes. **Classifier-free guidance** (Ho & Salimans
# 2022) takes more of it: from the answer without, w times the difference. w = 0 ignores the prompt, w = 1 is the
# model as it was trained, above 1 it exaggerates.
#
# (That paper's own w is ours less 1: its Eq. 6 reads (1 + w) epsilon(prompt) - w epsilon.)

# %%
scales = (0.0, 1.0, 2.0, 4.0, 8.0)
for prompt in ("red heart", "mushroom"):
    rows = [model.generate([prompt], n=1, seed=5, settings=Settings(guidance=w))[0] for w in scales]
    show(rows, [f"w = {w:g}" for w in scales])

# %% [markdown]
# At w = 0 the decoder is told nothing, so both prompts give the same, of no kind. At 1 it draws what is asked. Large
# scales burn: colours saturate, and lines break.
#
# **Exercise 4.3.** Write it, for noises.


# %%
def guided(eps_without, eps_with, w):
    return ...  # your turn


print(check("4.3", guided))

# %% [markdown]
# **Fit and variety.** How well do four images of one prompt fit it, and how far do they lie apart? The CLIP score
# (cosine to the prompt) and the mean distance of their CLIP embeddings say it, and are themselves only judged by a
# CLIP. In the large models of the papers the score rises up to w of 3 and more, while variety falls. Look at what
# this small one does: its prior has told the decoder already what is to be seen (unit 7), so that w = 1 fits best,
# and what larger scales add is damage.

# %%
fit, variety = [], []
for w in scales:
    made = model.generate(["mushroom"], n=4, seed=0, settings=Settings(guidance=w, steps=12))
    seen = model.embed_images(
        torch.cat([unclip.read_image(each, model.clip.config.vision.size).images for each in made])
    )
    fit.append((seen @ model.embed_captions(["mushroom"]).T).mean().item())
    variety.append(torch.pdist(seen).mean().item())
figure, (left, right) = plots(2)
left.plot(scales, fit, "o-")
left.set_title("CLIP score")
left.set_xlabel("w")
right.plot(scales, variety, "o-")
right.set_title("mean distance of four seeds")
right.set_xlabel("w")
show(figure)

# %% [markdown]
# **Exercise 4.4.** What does it cost? Write how often the network is asked for one image: by a one-question sampler
# with so many steps and guidance w. (Nothing is asked whose answer would be multiplied by 0. For w = 0, `unclip` asks
# both all the same; count as it does: two questions a step unless w = 1.)


# %%
def questions(steps, w):
    return ...  # your turn: a whole number


print(check("4.4", questions))

# %% [markdown]
# **Exercise 4.5.** A *negative prompt* ("not this") costs nothing more. Where does its answer stand? "eps_with" if it
# takes the place of the prompt's answer, "eps_without" if it takes the place of the answer without, "w" if it changes
# the scale.

# %%
stands_for = ...  # your turn
print(check("4.5", stands_for))

# %%
plain, negative = (
    model.generate(["pouting cat"], seed=2, settings=Settings(guidance=3.0, negative=words))[0]
    for words in (None, "red heart")
)
show([plain, negative], ["pouting cat", "and not: red heart"])

# %% [markdown]
# **Where to go on.** `docs/samplers.md` lists all samplers with their errors, `docs/guidance.md` the kinds of
# guidance; `docs/distill.md` teaches a network to jump in one to four steps. Unit 5 looks at models that need one
# step from the beginning.
