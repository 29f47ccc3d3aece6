"""The exercises of the units, one module a unit: how an answer is judged, and one that is right.

`unclip.course.checking` finds them. A judge looks at what an answer does on inputs that the reader has not seen, and
compares it with `unclip`'s own parts, which the solutions do not use unless the exercise asks for it.
"""
