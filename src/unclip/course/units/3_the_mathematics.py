# %% [markdown]
# # 3. The mathematics
#
# The chain q, its closed form and its posterior; the bound and its parts; bits per dimension; schedules. Each formula
# is checked.
#
# Letters and equation numbers are those of DDPM (Ho et al. 2020). Nothing here is trained for longer than seconds:
# everything is compared with an answer that is known.

# %%
import math

import torch
from torch import Tensor

from unclip import Condition, Diffusion, DiffusionConfig, Noise
from unclip.course import check, pictures, plots, scaled, show
from unclip.data import two_moons
from unclip.diffusion import (
    BoundSettings,
    Cosine,
    Estimate,
    GaussianDensity,
    LinearBeta,
    Prediction,
    QuadraticBeta,
    ScaledLinearBeta,
    Simple,
    Unguided,
    V,
    alpha,
    continuous_bound,
    ends,
    flow_likelihood,
    sigma,
    summarise,
    variational_bound,
)
from unclip.nn import MLP

DATA = "shapes"  # drawn shapes; or the path of a folder of your own images

# %% [markdown]
# ## The chain
#
# One step of the forward process forgets a little and adds as much noise (Eq. 2):
#
# $$q(x_t \mid x_{t-1}) = N\big(\sqrt{1-\beta_t}\,x_{t-1},\ \beta_t I\big)$$
#
# Why the square root? If x_{t-1} has the variance 1, so has x_t: (1 - beta_t) + beta_t = 1. The chain neither dies
# away nor explodes. Two steps are one step again: the mean is multiplied by sqrt((1 - beta_1)(1 - beta_2)), and the
# variance is (1 - beta_2) beta_1 + beta_2 = 1 - (1 - beta_1)(1 - beta_2). So, with alpha-bar_t the product of all 1 -
# beta up to t (Eq. 4),
#
# $$q(x_t \mid x_0) = N\big(\sqrt{\bar\alpha_t}\,x_0,\ (1-\bar\alpha_t) I\big)$$
#
# **Exercise 3.1.** From betas, a tensor [T], to alpha-bars, a tensor [T].


# %%
def alpha_bars(betas):
    return ...  # your turn


print(check("3.1", alpha_bars))

# %% [markdown]
# Is it true? 20,000 numbers that are all 0.8 go through the 1000 steps one by one. Their mean and standard deviation
# on the way (dots) lie on the closed form (lines). At the end nothing of 0.8 is left: mean 0, standard deviation 1.

# %%
betas = torch.linspace(1e-4, 0.02, 1000)
bars = torch.cumprod(1 - betas, 0)
noise = Noise.shared(0, "unit 3")
x, at, means, spreads = torch.full((20_000,), 0.8), [], [], []
for t, beta in enumerate(betas):
    x = (1 - beta).sqrt() * x + beta.sqrt() * noise.normal(x.shape)
    if t % 50 == 49:
        at, means, spreads = [*at, t], [*means, x.mean().item()], [*spreads, x.std().item()]

figure, (left, right) = plots(2)
left.plot(0.8 * bars.sqrt())
left.plot(at, means, "o")
left.set_title("mean: sqrt(alpha-bar) x_0")
right.plot((1 - bars).sqrt())
right.plot(at, spreads, "o")
right.set_title("standard deviation: sqrt(1 - alpha-bar)")
show(figure)

# %% [markdown]
# **Exercise 3.2.** A step may be as long as one likes: q(x_t | x_s) for s < t is Gaussian, too. Given alpha-bar_s and
# alpha-bar_t, return (factor of x_s, variance).


# %%
def long_step(alpha_bar_s, alpha_bar_t):
    return ...  # your turn: two numbers


print(check("3.2", long_step))

# %% [markdown]
# ## The way back, if one knew x_0
#
# The network must learn q(x_{t-1} | x_t), and nobody can write that down. But with x_0 as well it is Gaussian, by
# Bayes' rule (Eq. 6-7):
#
# $$q(x_{t-1} \mid x_t, x_0) = N\big(\tilde\mu_t(x_t, x_0),\ \tilde\beta_t I\big),\qquad
# \tilde\mu_t = \frac{\sqrt{\bar\alpha_{t-1}}\,\beta_t}{1-\bar\alpha_t}x_0
# + \frac{\sqrt{1-\beta_t}\,(1-\bar\alpha_{t-1})}{1-\bar\alpha_t}x_t,
# \qquad \tilde\beta_t = \frac{1-\bar\alpha_{t-1}}{1-\bar\alpha_t}\beta_t$$
#
# The picture holds it against a simulation: of many chains that begin at x_0 = 0.8, those are kept that come by x_t =
# 0.1 (within 0.02), and one looks where they were one step earlier.

# %%
few = torch.linspace(4e-3, 0.4, 20)
bar = torch.cumprod(1 - few, 0)
t = 5
before = bar[t - 1].sqrt() * 0.8 + (1 - bar[t - 1]).sqrt() * noise.normal((2_000_000,))
after = (1 - few[t]).sqrt() * before + few[t].sqrt() * noise.normal(before.shape)
kept = before[(after - 0.1).abs() < 0.02]

mean = (bar[t - 1].sqrt() * few[t] * 0.8 + (1 - few[t]).sqrt() * (1 - bar[t - 1]) * 0.1) / (1 - bar[t])
variance = (1 - bar[t - 1]) / (1 - bar[t]) * few[t]
figure, (left,) = plots(1, 6)
left.hist(kept.numpy(), bins=60, density=True, alpha=0.5, label=f"{len(kept):,} simulated chains")
line = torch.linspace(-0.7, 1.3, 200)
left.plot(line, torch.exp(-((line - mean) ** 2) / (2 * variance)) / (2 * math.pi * variance).sqrt(), label="Eq. 6-7")
left.set_xlabel("x_{t-1}, given x_t = 0.1 and x_0 = 0.8")
left.legend()
show(figure)

# %% [markdown]
# **Exercise 3.3.** Write it as a function of x_t, x_0 (tensors), beta_t, alpha-bar_t and alpha-bar_{t-1} (numbers).
# Return (mean, variance).


# %%
def posterior(x_t, x_0, beta, alpha_bar, alpha_bar_before):
    return ...  # your turn


print(check("3.3", posterior))

# %% [markdown]
# ## The bound
#
# The model is p(x_T) = N(0, I) and steps p(x_{t-1} | x_t) = N(mu_theta(x_t, t), Sigma_t). Its likelihood cannot be
# computed, but bounded (Eq. 5):
#
# $$-\log p(x_0) \le \underbrace{D(q(x_T|x_0)\,\|\,p(x_T))}_{L_T}
# + \sum_{t>1}\underbrace{D(q(x_{t-1}|x_t,x_0)\,\|\,p(x_{t-1}|x_t))}_{L_{t-1}}
# \underbrace{-\log p(x_0|x_1)}_{L_0}$$
#
# in the mean over q. All the D are divergences of two Gaussians, and known in closed form.
#
# **Exercise 3.4.** The divergence D(N(m, v) || N(n, w)) of two Gaussians in one dimension, in nats; v and w are
# variances.


# %%
def divergence(m, v, n, w):
    return ...  # your turn: a number


print(check("3.4", divergence))

# %% [markdown]
# If both have the same variance, only the means matter, and with mu_theta written by a predicted noise (Eq. 11)
# L_{t-1} becomes (Eq. 12)
#
# $$\frac{\beta_t^2}{2\sigma_t^2(1-\beta_t)(1-\bar\alpha_t)}\,\|\epsilon-\epsilon_\theta(x_t,t)\|^2$$
#
# L_simple (Eq. 14) leaves the factor out. The factor is largest at small t, where the errors are too small to be
# seen: without it the network spends its strength on what a person sees, and the likelihood suffers a little.
#
# **Exercise 3.5.** A model has 2,000 nats for an image of 32 x 32 pixels in 3 colours. How many bits per dimension
# are that? Write the function.


# %%
def bits_per_dimension(nats, dimensions):
    return ...  # your turn


print(check("3.5", bits_per_dimension))

# %% [markdown]
# **Is the bound a bound?** Take data whose entropy is known: every number is drawn from N(0.2, 0.5^2). Then the best
# possible network is known, too: by Bayes' rule, E[x_0 | x_t]. With it the bound should lie just above the entropy,
# and come down to it as T grows.


# %%
def exact(x: Tensor, log_snr: Tensor) -> Prediction:
    """E[x_0 | x_t] of Gaussian data."""
    a, s = alpha(log_snr), sigma(log_snr)
    gain = 0.25 * a / (0.25 * a**2 + s**2)
    shape = (-1, *[1] * (x.dim() - 1)) if log_snr.dim() else ()
    return Prediction.from_x0(0.2 + gain.view(shape) * (x - 0.2 * a.view(shape)), x, log_snr)


x0 = 0.2 + 0.5 * noise.normal((2000, 8))
entropy = math.log2(0.5 * math.sqrt(2 * math.pi * math.e))
nats = (x0 - 0.2).square() / 0.5 + math.log(0.5 * math.sqrt(2 * math.pi))
of_these = nats.mean(1) / math.log(2)  # -log2 p of each draw, in bits a dimension
how = BoundSettings(decoder=GaussianDensity(), variance="beta")
print(f"entropy {entropy:.3f} bits/dim; of these draws {of_these.mean():.3f}")
for T in (30, 60, 240):
    bound = variational_bound(exact, LinearBeta(0.1 / T, 20 / T, T).grid(T), x0, noise, how)
    print(
        f"T = {T:3}: the bound is above that by {Estimate.of(bound.total - of_these)};"
        f" its steps have {summarise([bound]).steps}"
    )

# %% [markdown]
# In continuous time (T to infinity; VDM, Kingma et al. 2021) the schedule matters by its two ends alone. And the
# deterministic way from data to noise, the probability-flow ODE (Song et al. 2021b), gives the likelihood itself and
# no bound. Both meet the entropy:

# %%
bound = continuous_bound(exact, ends(LinearBeta()), x0, noise, 100, GaussianDensity())
print("continuous bound, less -log2 p of the same draws:", Estimate.of(bound.total - of_these))
flow = flow_likelihood(exact, ends(Cosine()), x0[:100], noise)
print("probability flow, the same:", Estimate.of(flow.latent + flow.volume - of_these[:100]))

# %% [markdown]
# ## Schedules
#
# A schedule says how fast one forgets. In log-SNR, log(alpha-bar / (1 - alpha-bar)), they are easy to compare: each
# begins high, ends low, and has its own speed between.

# %%
table = {
    "linear": LinearBeta(),
    "quadratic": QuadraticBeta(),
    "scaled linear": ScaledLinearBeta(),
    "linear to 0.2": LinearBeta(beta_T=0.2),
}
times = torch.linspace(0, 1, 200)
figure, (left, right) = plots(2, 5, 3.6)
for name, schedule in table.items():
    left.plot(times, torch.sigmoid(schedule(times)), label=name)
    right.plot(times, schedule(times))
left.plot(times, torch.sigmoid(Cosine()(times)), label="cosine")
right.plot(times, Cosine()(times))
left.set_title("alpha-bar")
right.set_title("log-SNR")
right.set_ylim(-25, 15)
left.legend()
show(figure)

# %% [markdown]
# **The 0.2 that some lectures print.** DDPM's last beta is 0.02. With 0.2 in its place the chain reaches DDPM's last
# level long before its end; all steps after that are spent on noise.
#
# **Exercise 3.6.** At which t (0 to 999) is the chain with betas from 1e-4 to 0.2 first as noisy as DDPM's own at its
# end?

# %%
as_noisy = ...  # your turn: a whole number
print(check("3.6", as_noisy))

# %% [markdown]
# **What is left of x_0 in x_T?** L_T says it in bits: D(N(sqrt(alpha-bar_T) x_0, 1 - alpha-bar_T) || N(0, 1)). Here
# of real images, by the formula of 3.4.
#
# **Exercise 3.7.** Write L_T in bits per dimension for a tensor x_0 of any shape and a number alpha-bar_T: the mean
# over all numbers in x_0.


# %%
def left_over(x_0, alpha_bar):
    return ...  # your turn: a number


print(check("3.7", left_over))

# %%
images = pictures(DATA, 32, 64)
energy = images.square().mean().item()
for name, schedule in table.items():
    log_snr = schedule(torch.ones(())).double()
    a, s = torch.sigmoid(log_snr), torch.sigmoid(-log_snr)
    print(
        f"{name:14} alpha-bar_T = {a.item():.1e}, "
        f"L_T = {((s + a * energy - 1 - torch.log(s)) / (2 * math.log(2))).item():.1e} bits/dim"
    )

# %% [markdown]
# ## A network in the place of the exact answer
#
# Points on two half moons, and a small network that learns them for half a minute. Its bound is what the loss,
# weighted rightly, adds up to; the exact answer is not known here, so the two ways to it are held against each other.

# %%
torch.manual_seed(0)
diffusion = Diffusion(MLP(2), DiffusionConfig(Cosine(), V(), Simple()))
optimizer = torch.optim.AdamW(diffusion.parameters(), 3e-3)
for step in range(scaled(500)):
    each = Noise.shared(0, "moons", step)
    loss = diffusion.loss(two_moons(256, each), Condition(), each).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

diffusion.eval()
new = two_moons(300, Noise.shared(1, "new"))
denoise = Unguided()(diffusion.denoiser, Condition(), Condition())
with torch.no_grad():
    bound = summarise([continuous_bound(denoise, ends(Cosine()), new, noise, 100, GaussianDensity())])
print(
    f"new points: bound {bound.total} bits/dim; "
    f"a Gaussian of their variance has {math.log2(math.sqrt(2 * math.pi * math.e)):.2f}"
)

# %% [markdown]
# **Exercise 3.8.** Why may these bits be below 0, as those of 8-bit images never are? "density" if a density can be
# larger than 1, so that its logarithm is positive; "error" if the network is wrong; "bound" if the bound is loose.

# %%
below_zero = ...  # your turn
print(check("3.8", below_zero))

# %% [markdown]
# **Where to go on.** `docs/likelihood.md` has all of this for images, and `unclip evaluate --bpd` takes it of a run.
# Unit 4 turns the way back into few steps.
