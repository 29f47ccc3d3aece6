"""A run that starts from the trained weights of another one: which run that is, its settings, its weights."""
