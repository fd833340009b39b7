"""What follows from what was seen of a tag. Pure: no clock, no registry, no database.

What a place answers becomes what is believed of it (``place``), the places are held against each
other (``together``), and what that means for the version becomes events (``steps``). When something
is due though nothing is seen, ``due`` says.

Nothing is told of what a place says first of a tag that was there when the watch began: it is
known, and that is all. What changes afterwards is news.
"""

from manyfest.watch.decide.beginning import beginning
from manyfest.watch.decide.decision import decide
from manyfest.watch.decide.due import due

__all__ = ["beginning", "decide", "due"]
