"""Here-documents, which older builders take for instructions."""

from __future__ import annotations

from manyfest.build.dockerfile.instructions import Add, Copy, Instruction, Run
from manyfest.build.dockerfile.parse import Dockerfile


def first_heredoc(dockerfile: Dockerfile) -> Instruction | None:
    """The first instruction with a here-document, in whatever stage: builders read all of them."""
    for stage in dockerfile.stages:
        for instruction in stage.instructions:
            if isinstance(instruction, Run) and instruction.heredocs:
                return instruction
            if isinstance(instruction, Copy | Add) and instruction.inline:
                return instruction
    return None
