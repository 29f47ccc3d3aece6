"""A plain DDPM as `diffusers` keeps one: `UNet2DModel` and `DDPMScheduler` below a `model_index.json`."""
