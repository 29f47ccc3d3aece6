"""Finished models of images alone beside each other, whatever their family: one table, one picture."""
