"""Models in the forms of other libraries: read from their folders, written into them."""
