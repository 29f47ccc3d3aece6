"""Modules of a user's own, imported so that settings can name what they bring: a sampler, a schedule, a backbone.

`given`: what the user of this process names (`--plugin`, UNCLIP_PLUGINS, the entry points of installed packages) is
imported before settings are read. `noted`: a run keeps what it was trained with, and has it imported again. `trust`:
only what its user has given on this machine before, for a run may come from anybody.
"""
