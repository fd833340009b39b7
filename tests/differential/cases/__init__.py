"""The Dockerfiles, in one list. Each file of this package holds those for one kind of thing."""

from __future__ import annotations

from tests.differential.case import Case
from tests.differential.cases.adding import ADDING
from tests.differential.cases.configuration import CONFIGURATION
from tests.differential.cases.copying import COPYING
from tests.differential.cases.ignoring import IGNORING
from tests.differential.cases.stages import STAGES
from tests.differential.cases.words import WORDS

CASES: tuple[Case, ...] = (*CONFIGURATION, *WORDS, *STAGES, *COPYING, *ADDING, *IGNORING)
