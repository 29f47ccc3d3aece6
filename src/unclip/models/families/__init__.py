"""Models that turn noise into an image in one pass: variational autoencoder, normalizing flow, GAN; each a Task."""
