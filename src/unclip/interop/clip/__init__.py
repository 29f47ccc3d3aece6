"""A CLIP with a ViT as `transformers` and `open_clip` keep one."""
