# %% [markdown]
# # 2. From scratch in a hundred lines
#
# Noise, a tiny U-Net, training and sampling in plain PyTorch; then the same with unclip's parts, which fit each
# other.
#
# The lines between here and the first picture are a whole diffusion model: Algorithms 1 and 2 of DDPM (Ho et al.
# 2020).

# %%
import math

import torch
from torch import Tensor, nn

from unclip import Condition, Diffusion, DiffusionConfig, Noise, Sampling
from unclip.course import check, pictures, plots, scaled, show
from unclip.diffusion import DDIM, Ancestral, DPMSolverPP2M, Eps, LinearBeta, Simple
from unclip.nn import UNetConfig

DATA = "shapes"  # drawn shapes; or the path of a folder of your own images
SIDE, BATCH, STEPS = 16, 32, scaled(1200)

data = pictures(DATA, SIDE, 800)  # [800, 3, 16, 16] in [-1, 1]
show(data[:16])

# %% [markdown]
# ## The noise
#
# q(x_t | x_{t-1}) = N(sqrt(1 - beta_t) x_{t-1}, beta_t I) (Eq. 2). T steps of it make q(x_t | x_0) =
# N(sqrt(alpha-bar_t) x_0, (1 - alpha-bar_t) I), where alpha-bar_t is the product of all 1 - beta up to t (Eq. 4): any
# x_t in one line. The paper has T = 1000 and beta from 1e-4 to 0.02; four times fewer steps, each four times as
# large, end in the same noise.

# %%
T = 250
beta = torch.linspace(4e-4, 0.08, T)
alpha_bar = torch.cumprod(1 - beta, 0)


def corrupt(x0: Tensor, t: Tensor, eps: Tensor) -> Tensor:
    a = alpha_bar[t].view(-1, 1, 1, 1)
    return a.sqrt() * x0 + (1 - a).sqrt() * eps


torch.manual_seed(0)
times = torch.tensor([0, 20, 50, 80, 120, 160, 200, 249])
show(corrupt(data[:1].expand(8, -1, -1, -1), times, torch.randn(8, 3, SIDE, SIDE)))

# %% [markdown]
# ## A tiny U-Net
#
# It has to look at the whole image (is this a circle?) and at every pixel (is this noise?): so the image is halved
# twice and enlarged again, and what was there before each halving is put beside what comes back. The time t is told
# to every block as a vector of waves, as positions are told to a transformer.

# %%
WIDTH = 24


def waves(t: Tensor, n: int = 48) -> Tensor:
    angles = t[:, None].float() * torch.exp(-math.log(1000) * torch.arange(n // 2) / (n // 2))
    return torch.cat([angles.sin(), angles.cos()], 1)


class Block(nn.Module):
    def __init__(self, inner: int, outer: int) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.GroupNorm(8, inner), nn.SiLU(), nn.Conv2d(inner, outer, 3, padding=1))
        self.time = nn.Linear(96, outer)
        self.second = nn.Sequential(nn.GroupNorm(8, outer), nn.SiLU(), nn.Conv2d(outer, outer, 3, padding=1))
        self.skip = nn.Conv2d(inner, outer, 1) if inner != outer else nn.Identity()

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        return self.skip(x) + self.second(self.first(x) + self.time(t)[:, :, None, None])


class TinyUNet(nn.Module):
    def __init__(self, w: int = WIDTH) -> None:
        super().__init__()
        self.time = nn.Sequential(nn.Linear(48, 96), nn.SiLU(), nn.Linear(96, 96), nn.SiLU())
        self.enter, self.leave = nn.Conv2d(3, w, 3, padding=1), nn.Conv2d(w, 3, 3, padding=1)
        self.down1, self.down2 = Block(w, w), Block(w, 2 * w)
        self.middle1, self.middle2 = Block(2 * w, 2 * w), Block(2 * w, 2 * w)
        self.up2, self.up1 = Block(4 * w, 2 * w), Block(3 * w, w)
        self.shrink, self.enlarge = nn.AvgPool2d(2), nn.Upsample(scale_factor=2)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        e = self.time(waves(t))
        a = self.down1(self.enter(x), e)
        b = self.down2(self.shrink(a), e)
        c = self.middle2(self.middle1(self.shrink(b), e), e)
        d = self.up2(torch.cat([self.enlarge(c), b], 1), e)
        return self.leave(self.up1(torch.cat([self.enlarge(d), a], 1), e))


network = TinyUNet()
print(f"{sum(p.numel() for p in network.parameters()):,} numbers to learn")

# %% [markdown]
# ## Training: Algorithm 1
#
# Five lines, again and again: an image x_0, a time t, a noise epsilon; the network sees x_t and t and says the noise;
# step against the gradient of $\|\epsilon - \epsilon_\theta(x_t, t)\|^2$, which is L_simple (Eq. 14).

# %%
optimizer = torch.optim.AdamW(network.parameters(), 2e-3)
rate = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda i: min(1, (i + 1) / 30) * (1 - i / STEPS))
losses = []
for _ in range(STEPS):
    x0 = data[torch.randint(len(data), (BATCH,))]
    t = torch.randint(T, (BATCH,))
    eps = torch.randn_like(x0)
    loss = (eps - network(corrupt(x0, t, eps), t)).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    rate.step()
    losses.append(loss.item())

figure, (left,) = plots(1, 6)
left.semilogy(losses)
left.set_xlabel("step")
left.set_ylabel("L_simple")
show(figure)

# %% [markdown]
# **Exercise 2.1.** What is the expected loss of a network that always answers 0? It is where the curve begins.

# %%
loss_of_zero = ...  # your turn: a number
print(check("2.1", loss_of_zero))

# %% [markdown]
# ## Sampling: Algorithm 2
#
# From x_T, which is noise, T steps back. Each takes away a share of the predicted noise and adds a little fresh one,
# sigma_t z with sigma_t^2 = beta_t; the last step adds none.
#
# $$x_{t-1} = \frac{1}{\sqrt{1-\beta_t}}
# \Big(x_t - \frac{\beta_t}{\sqrt{1-\bar\alpha_t}}\,\epsilon_\theta(x_t, t)\Big) + \sigma_t z$$


# %%
@torch.no_grad()
def sample(n: int) -> Tensor:
    x = torch.randn(n, 3, SIDE, SIDE)
    for t in reversed(range(T)):
        eps = network(x, torch.full((n,), t))
        x = (x - beta[t] / (1 - alpha_bar[t]).sqrt() * eps) / (1 - beta[t]).sqrt()
        x = x + beta[t].sqrt() * torch.randn_like(x) if t else x
    return x


network.eval()
torch.manual_seed(1)
show(sample(16))

# %% [markdown]
# None of these is in the data. After some hundred steps the network knows that there is one coloured thing on white,
# and about how large; pure colours and straight edges take some thousand steps more. Raise `STEPS`, and look again.
#
# **Exercise 2.2.** From x_t and a noise, x_0 follows: solve Eq. 4 for it. This is what the network believes the clean
# image to be.


# %%
def clean_image(x_t, eps, alpha_bar):
    return ...  # your turn; alpha_bar is a number


print(check("2.2", clean_image))

# %% [markdown]
# **Exercise 2.3.** The step of Algorithm 2 adds noise. DDIM (Song et al. 2021a, Eq. 12 with sigma = 0) adds none: it
# computes x_0 as above, and puts *the same* noise back at the lower level, sqrt(alpha-bar_before) x_0 + sqrt(1 -
# alpha-bar_before) epsilon. Since that holds for any two levels, it may jump. Write the step.


# %%
def ddim_step(x_t, eps, alpha_bar, alpha_bar_before):
    return ...  # your turn


print(check("2.3", ddim_step))

# %% [markdown]
# **Exercise 2.4.** The second notebook of the Hugging Face course corrupts otherwise: (1 - a) x_0 + a epsilon.
# Divided by a number it is Eq. 4 with another name for the level. Which alpha-bar has the same ratio of signal to
# noise as a?


# %%
def same_level(a):
    return ...  # your turn: alpha-bar, a number


print(check("2.4", same_level))

# %% [markdown]
# ## The same with unclip's parts
#
# In `unclip` the schedule, what the network predicts, the loss's weight and the sampler are parts that one can
# exchange, and `Diffusion` joins them to a network. Its currency is the level's log-SNR, log(alpha-bar / (1 -
# alpha-bar)), so that a network need not know which schedule there is. First: **your network, unclip's samplers**. A
# network for `Diffusion` is called with x, log-SNR and a condition; yours wants t, so it is looked up.


# %%
class WithTimes(nn.Module):
    def __init__(self, network: TinyUNet) -> None:
        super().__init__()
        self.network, self.levels = network, torch.logit(alpha_bar.double()).float()

    def forward(self, x: Tensor, log_snr: Tensor, cond: Condition) -> Tensor:
        t = (log_snr[:, None] - self.levels).abs().argmin(1)
        return self.network(x, t)


schedule = LinearBeta(4e-4, 0.08, T)
yours = Diffusion(WithTimes(network), DiffusionConfig(schedule, Eps(), Simple(), limit=1.0))
ways = {
    "Ancestral, 250 steps (Algorithm 2)": Sampling(steps=250, sampler=Ancestral()),
    "DDIM, 25 steps": Sampling(steps=25, sampler=DDIM()),
    "DPM-Solver++ 2M, 10 steps": Sampling(steps=10, sampler=DPMSolverPP2M()),
}
for name, how in ways.items():
    *_, last = yours.sample((8, 3, SIDE, SIDE), Condition(), Condition(), Noise.per_sample(range(8)), how)
    print(name)
    show(last.x)

# %% [markdown]
# The last row took 10 questions to the network instead of 250. Unit 4 is about why that works.
#
# Second: **unclip's network**. Its `UNet` folds squares of pixels into channels and works mostly where the image is
# small; the loss is the same L_simple, and the loop is the one above with two lines fewer.

# %%
torch.manual_seed(0)
parts = Diffusion(
    UNetConfig(patch=2, widths=(48, 96), blocks=(1, 1), attention=(False, False)).build(),
    DiffusionConfig(schedule, Eps(), Simple(), limit=1.0),
)
optimizer = torch.optim.AdamW(parts.parameters(), 2e-3)
rate = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda i: min(1, (i + 1) / 30) * (1 - i / STEPS))
theirs = []
for step in range(STEPS):
    noise = Noise.shared(0, "unit 2", step)  # every random number of a step follows from its key
    x0 = data[noise.integers(len(data), (BATCH,))]
    loss = parts.loss(x0, Condition(), noise).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    rate.step()
    theirs.append(loss.item())

tail = max(1, STEPS // 10)
print(
    f"L_simple over the last tenth: yours {sum(losses[-tail:]) / tail:.4f}, unclip's {sum(theirs[-tail:]) / tail:.4f}"
)
*_, last = parts.eval().sample(
    (16, 3, SIDE, SIDE), Condition(), Condition(), Noise.per_sample(range(16)), Sampling(steps=50, sampler=DDIM(eta=1))
)
show(last.x)

# %% [markdown]
# **Exercise 2.5.** A network may predict something else than the noise. v = sqrt(alpha-bar) epsilon - sqrt(1 -
# alpha-bar) x_0 (Salimans & Ho 2022) asks a fair question at both ends: about the noise where there is little, about
# the image where there is much. Given x_t and v, find x_0. (In `unclip`: `DiffusionConfig(schedule, V(), Simple())`.)


# %%
def clean_from_v(x_t, v, alpha_bar):
    return ...  # your turn


print(check("2.5", clean_from_v))

# %% [markdown]
# **Where to go on.** `T`, `WIDTH` and `STEPS` are worth a try, one at a time; `UNCLIP_COURSE_SCALE=4` in the
# environment multiplies the steps. Unit 3 derives what was only stated here.
