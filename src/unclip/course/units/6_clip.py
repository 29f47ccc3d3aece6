# %% [markdown]
# # 6. CLIP
#
# Two networks, one of images and one of words, that learn to meet: train a small one, retrieve, classify without
# classes, and fool it.
#
# CLIP (Radford et al. 2021) is the first stage of a DALL-E 2: what it sees in an image is what the prior predicts and
# what the decoder draws from.

# %%
import math
from pathlib import Path

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

import unclip
from unclip import classify, read_image
from unclip.course import captioned, check, plots, scaled, show, terminal

DATA = "shapes"  # drawn shapes; or the path of a folder of your own images with captions
HERE = Path("unit-6")  # what this unit writes
SIDE, BATCH, STEPS = 16, 64, scaled(350)

images, captions = captioned(DATA, SIDE, 900)
if not any(captions):
    raise ValueError(f"{DATA}: no captions were found; CLIP needs them (docs/data.md)")
held = len(images) // 4  # these are not trained on
print(*captions[:4], sep="\n")
show(images[:4])

# %% [markdown]
# ## The two towers
#
# The words become numbers, and their vectors are averaged: no order, but for single objects that is enough. (The real
# one is a transformer, `unclip.clip.TextTower`.) The image goes through four convolutions. Both ends are projected to
# 64 numbers and made **unit vectors**, so that their product is the cosine of the angle between them.

# %%
words = sorted({word for caption in captions for word in caption.split()})
number = {word: i + 1 for i, word in enumerate(words)}  # 0: no word
LONGEST = max(len(caption.split()) for caption in captions)


def tokens(texts) -> Tensor:
    rows = [[number.get(word, 0) for word in text.split()][:LONGEST] for text in texts]
    return torch.tensor([row + [0] * (LONGEST - len(row)) for row in rows])


class SmallCLIP(nn.Module):
    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.words = nn.Embedding(len(words) + 1, width, padding_idx=0)
        self.text = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Linear(width, width))
        self.image = nn.Sequential(
            nn.Conv2d(3, 32, 3, padding=1), nn.GELU(), nn.Conv2d(32, 64, 3, 2, 1), nn.GELU(),
            nn.Conv2d(64, 64, 3, 2, 1), nn.GELU(), nn.Conv2d(64, 64, 3, 1, 1), nn.GELU(),
            nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(64, width),
        )  # fmt: skip
        self.log_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))  # of 1 / temperature, which is learned

    def embed_images(self, x: Tensor) -> Tensor:
        return F.normalize(self.image(x), dim=1)

    def embed_text(self, ids: Tensor) -> Tensor:
        many = (ids > 0).sum(1, keepdim=True).clamp(min=1)
        return F.normalize(self.text(self.words(ids).sum(1) / many), dim=1)


torch.manual_seed(0)
clip, ids = SmallCLIP(), tokens(captions)

# %% [markdown]
# ## The loss
#
# In a batch of N pairs there are N x N cosines. Row i says how image i fits each caption. The right one stands on the
# diagonal: so each row, and each column, is a choice among N, and the loss is the cross-entropy of both (CLIP, figure
# 3):
#
# $$L = -\frac{1}{2N}\sum_i \Big(\log\frac{e^{f_i\cdot g_i/\tau}}{\sum_j e^{f_i\cdot g_j/\tau}}
# + \log\frac{e^{f_i\cdot g_i/\tau}}{\sum_j e^{f_j\cdot g_i/\tau}}\Big)$$
#
# **Exercise 6.1.** Write it for unit vectors `f` and `g`, [N, d], and the temperature tau. `F.cross_entropy(scores,
# targets)` is the cross-entropy of rows, with the numbers of the right columns.


# %%
def contrastive_loss(f, g, temperature):
    return ...  # your turn: a number, as a tensor


print(check("6.1", contrastive_loss))

# %% [markdown]
# **Exercise 6.2.** Before training, nothing is known. What is the loss for N = 64 then, if all cosines are equal?

# %%
loss_of_nothing = ...  # your turn: a number
print(check("6.2", loss_of_nothing))

# %% [markdown]
# Small data repeat captions, and "a red circle" is right for every red circle of a batch. So the target of a row is
# spread evenly over all captions that are equal to its own; everything else is as above.

# %%
optimizer = torch.optim.AdamW(clip.parameters(), 2e-3, weight_decay=0.05)
losses, matrices = [], []
order = torch.Generator().manual_seed(0)
some = torch.arange(20)
for step in range(STEPS):
    if step in (0, STEPS // 20, STEPS - 1):
        with torch.no_grad():
            matrices.append(clip.embed_images(images[:20]) @ clip.embed_text(ids[:20]).T)
    rows = held + torch.randint(len(images) - held, (BATCH,), generator=order)
    x = images[rows] + 0.05 * torch.randn(BATCH, 3, SIDE, SIDE, generator=order)
    scores = clip.log_scale.exp().clamp(max=100) * clip.embed_images(x) @ clip.embed_text(ids[rows]).T
    same = (ids[rows][:, None] == ids[rows][None]).all(2).float()
    target = same / same.sum(1, keepdim=True)
    loss = (F.cross_entropy(scores, target) + F.cross_entropy(scores.T, target)) / 2
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss.item())

figure, panels = plots(4, 3.4, 3.2)
panels[0].plot(losses)
panels[0].set_title("loss")
for panel, matrix, when in zip(panels[1:], matrices, ("before", "early", "at the end"), strict=False):
    panel.imshow(matrix, vmin=-1, vmax=1, cmap="RdBu_r")
    panel.set_title(f"20 x 20 cosines, {when}")
show(figure)

# %% [markdown]
# These 20 pairs were held out. What is dark beside the diagonal are pairs that share a colour or a shape, or the
# caption.
#
# ## Retrieve
#
# Given a caption, which image? Among the held-out ones. Colours are learned first, shapes later, so that the first
# images of a row agree in more than the last.
#
# **Exercise 6.3.** Recall at k: the share of rows whose right answer, the diagonal, is among the k largest of its
# row. (If several are equal, count a row as right when fewer than k are *larger*.)


# %%
def recall(similarity, k):
    return ...  # your turn: a number from 0 to 1


print(check("6.3", recall))

# %%
clip.eval()
with torch.no_grad():
    f, g = clip.embed_images(images[:held]), clip.embed_text(ids[:held])
others = (ids[:held][:, None] != ids[:held][None]).any(2)  # equal captions are no mistake
best = (f @ g.T).diagonal()[:, None] >= (f @ g.T).masked_fill(~others, -1)
print(f"{best.all(1).float().mean():.0%} of {held} held-out images are nearest to their own caption, chance 2% or so")
asked = captions[:3]
for caption, text in zip(asked, g[:3], strict=True):
    best = (f @ text).topk(6).indices
    print(caption)
    show(images[best])

# %% [markdown]
# ## Classify without classes
#
# A label is put into a sentence, and whichever sentence is nearest is the answer (section 3.1). Nobody trained a
# classifier of colours; the text says what the classes are. One sentence leaves things open ("a red circle" is also
# about circles), so CLIP takes the mean of several and makes it a unit vector again (section 3.1.4).
#
# **Exercise 6.4.** From the unit vectors of one label's sentences, [n, d], to the label's embedding, [d].


# %%
def of_label(sentences):
    return ...  # your turn


print(check("6.4", of_label))

# %%
if DATA == "shapes":
    colours = ("red", "green", "blue", "yellow", "purple", "black")
    shapes = ("circle", "square", "triangle", "cross")
    for names, templates in ((colours, ["{}", *(f"a {{}} {shape}" for shape in shapes)]),
                             (shapes, ["{}", *(f"a {colour} {{}}" for colour in colours)])):  # fmt: skip
        known = [[name for name in names if name in caption.split()] for caption in captions[:held]]
        rows = [i for i, found in enumerate(known) if len(found) == 1]
        truth = torch.tensor([names.index(known[i][0]) for i in rows])
        for told, some in (("the word alone", templates[:1]), (f"{len(templates) - 1} sentences", templates[1:])):
            with torch.no_grad():
                every = [clip.embed_text(tokens([each.format(name) for each in some])).mean(0) for name in names]
            right = (f[rows] @ F.normalize(torch.stack(every), dim=1).T).argmax(1) == truth
            share = right.float().mean()
            print(f"which of {len(names)}, by {told}: {share:.0%} of {len(rows)}, chance {1 / len(names):.0%}")

# %% [markdown]
# A CLIP of half a minute has learned colours, and shapes hardly: what helps most to tell the pairs of a batch apart
# is learned first. More steps (`STEPS`) bring the shapes.

# %% [markdown]
# ## Fool it
#
# The network is smooth in the image, so one can ask in which direction each pixel should change to make another
# caption fit. A step of the size eps in the *sign* of that gradient changes nothing that a person would notice, and
# much of what the network sees (Goodfellow et al. 2015).
#
# **Exercise 6.5.** From an image in [-1, 1], the gradient of what should grow, and eps: the changed image, still in
# [-1, 1].


# %%
def step_of_signs(image, gradient, eps):
    return ...  # your turn


print(check("6.5", step_of_signs))

# %%
kinds = {"red", "green", "blue", "yellow", "purple", "black", "circle", "square", "triangle", "cross"}
said = [set(caption.split()) & kinds or set(caption.split()) for caption in captions[:held]]
wrong = torch.tensor([[one != other for other in said] for one in said])  # another colour, or another shape
fit = (f @ g.T).masked_fill(~wrong, -1)
margin = (f * g).sum(1) - fit.max(1).values  # by how much the own caption fits better than the best wrong one
who = int(margin.masked_fill(margin <= 0, 9).argmin())  # right, and the least sure of it
pair = [captions[who], captions[int(fit[who].argmax())]]
with torch.no_grad():
    texts = clip.embed_text(tokens(pair))
shown, fooled = [images[who]], images[who : who + 1].clone()
print(f"{'eps':>5}  cosine to {pair[0]!r}, to {pair[1]!r}")
for taken in range(5):
    fooled.requires_grad_(True)
    fit = clip.embed_images(fooled) @ texts.T
    print(f"{0.02 * taken:5.2f}  {fit[0, 0]:.2f}, {fit[0, 1]:.2f}")
    [gradient] = torch.autograd.grad((fit[:, 1] - fit[:, 0]).sum(), fooled)
    fooled = (fooled + 0.02 * gradient.sign()).clamp(-1, 1).detach()
    shown.append(fooled[0])
show(torch.stack(shown))

# %% [markdown]
# The steps add up to 0.1 of the 2 between black and white, mostly in places where a person sees nothing but white.
# The image was one that the network had right and was least sure of; surer ones take more. That is a small network on
# few data, but the large ones are fooled in the same way. It matters to a text-to-image model: guidance *by* CLIP is
# this very gradient, which is why it must be taken of a CLIP that has seen noise (`docs/clip.md`).
#
# ## One that has seen emoji
#
# The CLIP of the model that ships knows the names of 3,291 emoji. It judges what its own decoder drew, finds images
# by words, and is as sure as its temperature makes it: probabilities are among the labels that *you* name.

# %%
model = unclip.load("box:emoji", kind=unclip.TextToImage)
labels = ["red heart", "tulip", "pouting cat", "mushroom"]
made = model.generate(labels, seed=1)
x = torch.cat([read_image(each, model.clip.config.vision.size).images for each in made])
show(made, labels)
for label, row in zip(labels, classify(model, x, labels), strict=True):
    print(f"{label:12}", "  ".join(f"{p:.0%}" for p in row))
print("and among wrong labels only:", [f"{p:.0%}" for p in classify(model, x[:1], ["tulip", "mushroom"])[0]])

# %%
terminal(f"unclip search 'cat face' --run box:emoji -n 6 --out {HERE}")
for path in sorted(HERE.glob("*.png")):
    show(Image.open(path))

# %% [markdown]
# **Where to go on.** `docs/clip.md` has the real towers, and the figures. Unit 7 puts the prior and the decoder
# behind this one.
