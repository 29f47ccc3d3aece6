"""Commands that hand a model to other libraries, and take one from them."""
