"""The course: eight units as notebooks, what they show and draw with, and checks of their exercises.

    from unclip.course import check, show, solution

`unclip course` lists the units and copies one. A unit is a script in cells (`units/`). What it takes from this room
makes it shorter: data to look at, pictures on the page, and an answer to "is mine right?".
"""

from typing import TYPE_CHECKING

from unclip.core.imports.lazy import lazy

if TYPE_CHECKING:
    from unclip.course.answers import Verdict as Verdict
    from unclip.course.checking import check as check
    from unclip.course.checking import solution as solution
    from unclip.course.commands import terminal as terminal
    from unclip.course.data import captioned as captioned
    from unclip.course.data import pictures as pictures
    from unclip.course.pace import scaled as scaled
    from unclip.course.screen import plots as plots
    from unclip.course.screen import rows as rows
    from unclip.course.screen import show as show
else:
    __all__, __getattr__, __dir__ = lazy(
        __name__,
        {
            "unclip.course.answers": "Verdict",
            "unclip.course.checking": "check solution",
            "unclip.course.data": "captioned pictures",
            "unclip.course.pace": "scaled",
            "unclip.course.screen": "plots rows show",
            "unclip.course.commands": "terminal",
        },
    )
