"""The priors as stages."""
