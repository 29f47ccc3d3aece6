"""The invertible layers of a normalizing flow over images, each with the logarithm of its volume change."""
