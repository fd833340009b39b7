"""Moved to :mod:`manyfest.settings.decode`."""

from manyfest.settings.decode import Readers as Readers
from manyfest.settings.decode import decode as decode
from manyfest.settings.decode import short_form as short_form
