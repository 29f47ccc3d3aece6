"""Models that diffusers has no class for, as pipelines of it that bring their own code."""
