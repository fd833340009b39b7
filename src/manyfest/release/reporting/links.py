"""Pages on the web about a release, as far as they are known."""

from __future__ import annotations

from collections.abc import Mapping

from manyfest.oci.reference import Name

_PAGES = {
    "docker.io": "https://hub.docker.com/r/{}",
    "ghcr.io": "https://ghcr.io/{}",
    "quay.io": "https://quay.io/repository/{}",
}
"""Registries that show people a page of each repository, and where."""


def page_of(name: Name) -> str:
    """The page that the registry has of a repository, or empty."""
    return _PAGES.get(name.registry, "").format(name.repository)


def run_page(environ: Mapping[str, str]) -> str:
    """The page of the CI run that we are in, or empty: GitHub's and Forgejo's are put together,
    GitLab and Woodpecker name theirs."""
    parts = [environ.get(f"GITHUB_{each}", "") for each in ("SERVER_URL", "REPOSITORY", "RUN_ID")]
    if all(parts):
        return "{}/{}/actions/runs/{}".format(*parts)
    pages = (environ.get(each, "") for each in ("CI_JOB_URL", "CI_STEP_URL", "CI_PIPELINE_URL"))
    return next(filter(None, pages), "")
