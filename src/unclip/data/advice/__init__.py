"""Opinions on a data set, each with what to do, told before hours are spent on it."""

from unclip.data.advice.closer import alike, closer, cut
from unclip.data.advice.counts import advice

__all__ = ["advice", "alike", "closer", "cut"]
