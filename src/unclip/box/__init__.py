"""A model in the box: finished runs that ship with unclip, and how a name leads to them."""
