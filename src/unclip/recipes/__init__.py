"""Whole runs. Its stages are known to whoever imports any module of it."""

from unclip.recipes import stages as stages
