# %% [markdown]
# # 7. The prior and the decoder
#
# DALL-E 2 whole: from words to an embedding to an image; then what one can do to an image: variations, blends,
# changes by words, inpainting.
#
# The paper is unCLIP (Ramesh et al. 2022). Everything here is done by the model that ships, in seconds, and works in
# the same way with a run of your own: put its folder in the place of `box:emoji`.

# %%
import torch
from PIL import Image, ImageDraw

import unclip
from unclip import Settings, read_image
from unclip.course import check, plots, show

model = unclip.load("box:emoji", kind=unclip.TextToImage)
SIDE = model.clip.config.vision.size


def embedding(image) -> torch.Tensor:
    """What CLIP sees in an image: a unit vector, [1, d]."""
    return model.embed_images(read_image(image, SIDE).images)


# %% [markdown]
# ## The chain
#
#     caption y --CLIP text--> z_t --prior P(z_i | y)--> z_i --decoder P(x | z_i, y)--> image x
#
# P(x | y) = P(x | z_i, y) P(z_i | y): first *what* is to be seen, then how it looks (section 2). Why a prior, if z_t
# is already an embedding? Because words and images lie in two different parts of the sphere. Here are both, and what
# the prior draws, along the two directions in which they differ most.

# %%
prompts = ["red heart", "tulip", "pouting cat", "mushroom", "popcorn", "white flag"]
made = model.generate(prompts, n=3, seed=1)
text = model.embed_captions(prompts)
drawn = model.embed_prompts([p for p in prompts for _ in range(3)], [s for _ in prompts for s in (1, 2, 3)])
image = torch.cat([embedding(each) for each in made])

every = torch.cat([text, drawn, image]).float()
_, _, directions = torch.pca_lowrank(every, 2)
figure, (left,) = plots(1, 7, 5)
for points, name, mark in (
    (text, "captions, z_t", "s"),
    (drawn, "drawn by the prior", "."),
    (image, "their images, z_i", "x"),
):
    flat = (points.float() - every.mean(0)) @ directions
    left.plot(flat[:, 0], flat[:, 1], mark, label=name)
for prompt, (x, y) in zip(prompts, (text.float() - every.mean(0)) @ directions, strict=True):
    left.annotate(prompt, (x, y), fontsize=8)
left.legend()
show(figure)
print(f"mean cosine of a caption and its image {(text.repeat_interleave(3, 0) * image).sum(1).mean():.2f}")
print(f"mean cosine of what the prior drew and its image {(drawn * image).sum(1).mean():.2f}")

# %% [markdown]
# Captions and images of one thing lie near each other, but not in one place, and what the prior draws lies among the
# images. (Its three draws of a prompt are nearly one point here: a small prior that has seen few images of each name
# is sure of itself.)
#
# **Exercise 7.1.** The prior draws two embeddings for each prompt and keeps the one with the larger dot product with
# z_t (section 2.2). Write which of the n `candidates`, [n, d], that is, as a whole number; all are unit vectors, and
# `text` is [d].


# %%
def better(candidates, text):
    return ...  # your turn


print(check("7.1", better))

# %% [markdown]
# **Who decides what?** The decoder is told the embedding and the caption. Give it those of two different prompts, and
# see which of the two it follows. (Above each image: embedding / caption.)

# %%
pair = ["red heart", "mushroom"]
z, how = model.embed_prompts(pair, [1, 1]), model.resolved(None)
swapped = [(0, 0), (0, 1), (1, 0), (1, 1)]
*_, last = model.decode(z[[a for a, _ in swapped]], [pair[b] for _, b in swapped], [1] * 4, how)
show([Image.fromarray(((x + 1) * 127.5).clamp(0, 255).byte().permute(1, 2, 0).numpy()) for x in last.x],
     [f"{pair[a]} / {pair[b]}" for a, b in swapped])  # fmt: skip

# %% [markdown]
# The embedding says what is drawn. The caption adds what an embedding is bad at, and here, where nearly every image
# has a name of its own, that is little: compare the two mushrooms.

# %% [markdown]
# ## Variations
#
# Everything that the decoder knows of an image are two things: z_i, what CLIP sees in it, and x_T, the noise from
# which it would draw just this image, which is found by walking DDIM backwards (`docs/manipulate.md`). `vary` keeps
# z_i and takes other noise: what stays alike is what CLIP sees.

# %%
[cat] = model.generate(["pouting cat"], seed=3)
show([cat, *unclip.vary(model, cat, n=5, fresh=True)], ["given", *["vary"] * 5])

# %% [markdown]
# ## Blends
#
# Between two images lie others, if one goes along the sphere. The straight line would leave it, so the angle w
# between a and b is divided (section 3.2):
#
# $$\mathrm{slerp}(a, b, t) = \frac{\sin((1-t)\,w)}{\sin w}\,a + \frac{\sin(t\,w)}{\sin w}\,b$$
#
# **Exercise 7.2.** Write it for two unit vectors, [d].


# %%
def slerp(a, b, t):
    return ...  # your turn


print(check("7.2", slerp))

# %%
[tulip] = model.generate(["tulip"], seed=2)
how_many = 6
show(
    unclip.blend(model, cat, tulip, n=how_many, noise="fixed"),
    [f"t = {i / (how_many - 1):.1f}" for i in range(how_many)],
)

# %% [markdown]
# ## Changes by words
#
# "A woman" to "a man" is a direction in the space of captions: z_d = norm(z_to - z_from). Turning an image's z_i
# towards it, by a share theta of the angle, changes that and little else (section 3.3). The noise stays that of the
# image.
#
# **Exercise 7.3.** From z_i, z_to and z_from, unit vectors [d], to the turned embedding. Your `slerp` may be of use.


# %%
def turned(z_i, z_to, z_from, theta):
    return ...  # your turn


print(check("7.3", turned))

# %%
[person] = model.generate(["woman detective light skin tone"], seed=4)
ways = {
    "to a man": ("woman detective light skin tone", "man detective light skin tone"),
    "to a dark skin tone": ("woman detective light skin tone", "woman detective dark skin tone"),
}
for name, (before, after) in ways.items():
    print(name)
    show(unclip.diff(model, person, before, after, n=6, until=0.5))

# %% [markdown]
# ## Inpainting
#
# A part of the image is painted anew; every pixel outside of it stays. Without a network that was trained for it, the
# known part is put back at every step, at that step's noise (RePaint, Lugmayr et al. 2022): x_t outside the hole is
# not what the network says, but q(x_t | x_0) of the image that is there.
#
# **Exercise 7.4.** Write this step: from the model's state x_t, the known image x_0, the mask (1 where it is painted
# anew), alpha-bar_t and a noise.


# %%
def put_back(x_t, x_0, mask, alpha_bar, eps):
    return ...  # your turn


print(check("7.4", put_back))

# %%
hole = Image.new("L", cat.size)
ImageDraw.Draw(hole).rectangle((0, 0, cat.width, cat.height // 2), fill=255)  # white: painted anew
fixed = unclip.edit(model, cat, hole, "pouting cat", n=4, settings=Settings(steps=16))
kept = (0, cat.height // 2 + 1, cat.width, cat.height)
show([cat, *fixed], ["given", *["upper half anew"] * 4])
print("the lower half is the same:", all(each.crop(kept).tobytes() == cat.crop(kept).tobytes() for each in fixed))

# %% [markdown]
# **Exercise 7.5.** An image shows a mushroom though the prompt said "red heart", and CLIP, asked, says "mushroom" of
# the *embedding that the prior drew*, too. Which stage made the error: "clip", "prior" or "decoder"? (`unclip
# evaluate --trace` asks this of a run.)

# %%
stage = ...  # your turn
print(check("7.5", stage))

# %% [markdown]
# **Where to go on.** `docs/manipulate.md`, `docs/inpainting.md` and `docs/priors.md`. Unit 8 is about a model of your
# own images.
