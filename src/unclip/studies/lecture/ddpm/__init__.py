"""Chapters 2 to 4 of the lecture: to noise, back, training and sampling."""
