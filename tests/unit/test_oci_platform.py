from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyfest.errors import InvalidPlatform
from manyfest.oci.platform import Platform


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("linux/amd64", "linux/amd64"),
        ("amd64", "linux/amd64"),
        ("linux/amd64/v1", "linux/amd64"),
        ("linux/amd64/v3", "linux/amd64/v3"),
        ("linux/x86_64", "linux/amd64"),
        ("linux/x86-64", "linux/amd64"),
        ("linux/x86_64/v2", "linux/amd64/v2"),
        ("linux/arm64", "linux/arm64"),
        ("linux/arm64/v8", "linux/arm64"),
        ("linux/arm64/8", "linux/arm64"),
        ("linux/arm64/v8.0", "linux/arm64"),
        ("linux/arm64/v8.2", "linux/arm64/v8.2"),
        ("linux/arm64/9", "linux/arm64/v9"),
        ("linux/arm64/v9.0", "linux/arm64/v9"),
        ("arm64/v8", "linux/arm64"),
        ("linux/aarch64", "linux/arm64"),
        ("aarch64", "linux/arm64"),
        ("linux/arm", "linux/arm/v7"),
        ("linux/arm/v7", "linux/arm/v7"),
        ("linux/arm/7", "linux/arm/v7"),
        ("linux/arm/v6", "linux/arm/v6"),
        ("linux/arm/5", "linux/arm/v5"),
        ("linux/arm/v8", "linux/arm/v8"),
        ("arm/v6", "linux/arm/v6"),
        ("linux/armhf", "linux/arm/v7"),
        ("linux/armel", "linux/arm/v6"),
        ("linux/armhf/v6", "linux/arm/v7"),
        ("linux/armv6l", "linux/arm/v6"),
        ("linux/i386", "linux/386"),
        ("linux/i686", "linux/386"),
        ("linux/386", "linux/386"),
        ("linux/mips64le", "linux/mips64le"),
        ("linux/ppc64le", "linux/ppc64le"),
        ("linux/ppc64le/power9", "linux/ppc64le/power9"),
        ("linux/riscv64", "linux/riscv64"),
        ("linux/s390x", "linux/s390x"),
        ("linux/loongarch64", "linux/loong64"),
        ("Linux/ARM64/V8", "linux/arm64"),
        ("windows/amd64", "windows/amd64"),
        ("macos/arm64", "darwin/arm64"),
        ("wasip1/wasm", "wasip1/wasm"),
    ],
)
def test_platform_under_its_usual_name(written: str, expected: str) -> None:
    assert str(Platform.parse(written)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/",
        "linux",
        "linux/",
        "/amd64",
        "linux//v7",
        "linux/amd64/v1/x",
        "linux/amd65",
        "beos/amd64",
        "unknown/unknown",
        "linux/amd64\n",
        "linux/arm/\u0667",
        "linux amd64",
        "windows(10.0.17763)/amd64",
        "linux/arm/v9",
        "linux/arm64/v7",
        "linux/amd64/v5",
    ],
)
def test_what_no_runtime_knows_is_refused(text: str) -> None:
    with pytest.raises(InvalidPlatform):
        Platform.parse(text)


def test_a_platform_the_wrong_way_round_is_told_how_to_mend_it() -> None:
    with pytest.raises(InvalidPlatform, match="write windows/amd64"):
        Platform.parse("amd64/windows")


def test_a_variant_that_there_is_not_is_refused_with_those_there_are() -> None:
    message = "unknown variant of arm in platform 'linux/arm/v9'; use v5 to v8"
    with pytest.raises(InvalidPlatform, match=f"^{message}$"):
        Platform.parse("linux/arm/v9")


@pytest.mark.parametrize(
    ("platform", "suffix"),
    [
        ("linux/arm64", "arm64"),
        ("linux/arm/v7", "armv7"),
        ("linux/amd64/v3", "amd64v3"),
        ("windows/amd64", "windows-amd64"),
    ],
)
def test_suffix_for_tags(platform: str, suffix: str) -> None:
    assert Platform.parse(platform).suffix == suffix


@pytest.mark.parametrize(
    ("os", "architecture", "known"),
    [
        ("linux", "amd64", True),
        ("beos", "ppc", True),
        ("unknown", "unknown", False),
        ("linux", "unknown", False),
        ("", "", False),
    ],
)
def test_what_attestations_are_for_is_no_platform(os: str, architecture: str, known: bool) -> None:
    assert Platform(architecture, os).is_known is known


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (Platform("arm64", "linux"), Platform("arm64", "linux", variant="v8"), True),
        (Platform("arm", "linux"), Platform("arm", "linux", variant="v7"), True),
        (Platform("arm", "linux", variant="v6"), Platform("arm", "linux", variant="v7"), False),
        (Platform("amd64", "linux"), Platform("amd64", "windows"), False),
        (
            Platform("amd64", "windows", os_version="10.0.1"),
            Platform("amd64", "windows", os_version="10.0.2"),
            True,
        ),
    ],
)
def test_same_platform(one: Platform, other: Platform, same: bool) -> None:
    assert one.same_as(other) is same
    assert other.same_as(one) is same


def test_normalising_keeps_what_only_windows_tells() -> None:
    platform = Platform("x86_64", "Windows", os_version="10.0.17763.1", os_features=("win32k",))
    assert platform.normalised() == Platform(
        "amd64", "windows", os_version="10.0.17763.1", os_features=("win32k",)
    )


@given(
    st.builds(
        "/".join,
        st.tuples(
            st.sampled_from("linux Windows darwin macos freebsd".split()),
            st.sampled_from("amd64 x86_64 ARM64 aarch64 arm armhf armel 386 i686 s390x".split()),
        )
        | st.tuples(
            st.sampled_from("linux windows".split()),
            st.sampled_from("amd64 arm64 arm armhf riscv64".split()),
            st.from_regex(r"[A-Za-z0-9_.-]+", fullmatch=True),
        ),
    )
)
def test_a_platform_reads_back_as_written(text: str) -> None:
    try:
        platform = Platform.parse(text)
    except InvalidPlatform:
        return
    assert Platform.parse(str(platform)) == platform
    assert platform.normalised() == platform


@given(st.text())
def test_any_text_is_a_platform_or_refused(text: str) -> None:
    try:
        platform = Platform.parse(text)
    except InvalidPlatform:
        return
    assert Platform.parse(str(platform)) == platform
