"""Networks between a vector and an image: a decoder for VAEs and GANs, an encoder, a critic."""
