"""Latent diffusion as `diffusers` keeps it: a `StableDiffusionPipeline` folder becomes the parts of a run."""
