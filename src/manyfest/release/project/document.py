"""Moved to :mod:`manyfest.settings.document`."""

from manyfest.settings.document import MAX_SIZE as MAX_SIZE
from manyfest.settings.document import kind_of as kind_of
from manyfest.settings.document import line_of as line_of
from manyfest.settings.document import read as read
