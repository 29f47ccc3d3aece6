"""Chapters 5 to 7 of the lecture: CLIP, the prior, the decoder."""
