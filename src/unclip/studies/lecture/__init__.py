"""The lecture of `unclip explain --slides`: a module a chapter, each slide made of a run's own images and model."""
