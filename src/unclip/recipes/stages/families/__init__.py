"""The models that draw an image in one pass, a stage each: VAE, normalizing flow, GAN."""
