"""How a Dockerfile's text is read: directives, continuations, variables, arguments."""

from __future__ import annotations

from tests.differential.case import ALL, DOCKERS, RECENT, Case

WORDS = (
    Case(
        "Defaults and alternatives of variables",
        """
        FROM BARE
        ENV SET=set EMPTY=
        ENV A=${SET:-else} B=${EMPTY:-else} C=${UNSET:-else} D=${UNSET:-}
        ENV E=${SET:+then} F=${EMPTY:+then} G=${UNSET:+then} H="${UNSET:-two words}"
        ENV I=${UNSET:-$SET} J=${UNSET:-${EMPTY:-${SET}}} K=$UNSET L=x${UNSET}y
        """,
    ),
    Case(
        "Defaults and alternatives that ask whether a variable is set",
        """
        FROM BARE
        ENV SET=set EMPTY=
        ENV A=${SET-else} B=${EMPTY-else} C=${UNSET-else} D=${EMPTY+then} E=${UNSET+then}
        ENV F=${SET:?never} G=${SET?never} H=${EMPTY?never}
        """,
        judges=RECENT,
        expected=(
            "Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'SET=set',"
            " 'EMPTY=', 'A=set', 'B=', 'C=else', 'D=then', 'E=', 'F=set', 'G=set', 'H=']",
        ),
    ),
    Case(
        "A variable that is required and not set is refused",
        """
        FROM BARE
        ENV A=${UNSET:?is needed}
        """,
        judges=ALL,
        fails=True,
    ),
    Case(
        "Patterns of variables",
        """
        FROM BARE
        ENV V=v1.2.3-rc.1 P=/usr/local/bin/app
        ENV A=${V#v} B=${V#*.} C=${V##*.} D=${V%-*} E=${V%%.*} F=${P##*/} G=${P%/*}
        ENV H=${V/./_} I=${V//./_} J=${V/rc/final} K=${P//\\//-}
        """,
        judges=RECENT,
        expected=(
            "Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',"
            " 'V=v1.2.3-rc.1', 'P=/usr/local/bin/app', 'A=1.2.3-rc.1', 'B=2.3-rc.1', 'C=1',"
            " 'D=v1.2.3', 'E=v1', 'F=app', 'G=/usr/local/bin', 'H=v1_2.3-rc.1', 'I=v1_2_3-rc_1',"
            " 'J=v1.2.3-final.1', 'K=-usr-local-bin-app']",
        ),
    ),
    Case(
        "Quotes and escapes around variables",
        r"""
        FROM BARE
        ENV V=value
        ENV A=\$V B="\$V" C='$V' D="a\"b" E='a"b' F=a\\b G="$V" H=${V}\ $V I="a\nb"
        """,
    ),
    Case(
        "Another escape character",
        r"""
        # escape=`
        FROM BARE
        ENV DIR=C:\new `
            MORE=one` word
        LABEL path="C:\`"quoted`""
        """,
    ),
    Case(
        "Comments and empty lines inside of an instruction",
        r"""
        # A comment first.

        FROM BARE
        ENV A=1 \
        # a comment between

            B=2 \
            C=3
          # an indented comment
        ENV D="a # b"
        """,
    ),
    Case(
        "Keywords in any case, and blanks around everything",
        '\nfrom   BARE  \n\tenv\tA=1\n  LaBeL  b = 2  \n \nCmd  [ "a" ,  "b" ]  \n',
        judges=DOCKERS,
    ),
    Case(
        "Lines that end with a carriage return",
        '\nFROM BARE\r\nENV A=1 \\\r\n  B=2\r\nCMD ["x"]\r\n',
    ),
    Case(
        "A file that ends within its last line",
        "\nFROM BARE\nLABEL a=1",
    ),
    Case(
        "A mark for the order of bytes is dropped",
        "\n\ufeffFROM BARE\nLABEL a=1\n",
    ),
    Case(
        "ARG with a default, one that is given and one that is empty",
        """
        FROM BARE
        ARG WITH=default
        ARG GIVEN=default
        ARG NONE
        LABEL with=$WITH given=$GIVEN none="[$NONE]"
        """,
        build_args={"GIVEN": "from outside", "UNUSED": "x"},
    ),
    Case(
        "ARG before FROM holds in FROM, and in a stage that asks for it",
        """
        ARG IMAGE=BARE
        ARG VERSION=1
        FROM $IMAGE AS one
        LABEL before="[$VERSION]"
        ARG VERSION
        LABEL after="[$VERSION]"
        FROM ${IMAGE}
        ARG VERSION=2
        LABEL version=$VERSION
        """,
    ),
    Case(
        "An ARG of a stage that another one starts from",
        """
        FROM BARE AS one
        ARG A=from-one
        ENV B=$A
        FROM one
        LABEL a="[$A]" b="[$B]"
        """,
        judges=DOCKERS,
    ),
    Case(
        "ENV wins over an ARG before it",
        """
        FROM BARE
        ARG A=arg
        ENV A=env
        LABEL a=$A
        """,
        build_args={"A": "given"},
    ),
    Case(
        "ARG after ENV",
        """
        FROM BARE
        ENV A=env
        ARG A=arg
        LABEL a=$A
        """,
    ),
    Case(
        "ARG of a name that the base has in its environment",
        """
        FROM BASE
        ARG ORIGIN=arg
        LABEL a=$ORIGIN
        """,
        judges=DOCKERS,
    ),
    Case(
        "Several ARGs in one line",
        """
        FROM BARE
        ARG A=1 B=$A C
        LABEL a="[$A]" b="[$B]" c="[$C]"
        """,
        judges=RECENT,
        expected=("Labels.a: '[1]'", "Labels.b: '[1]'", "Labels.c: '[]'"),
    ),
    Case(
        "The automatic arguments",
        """
        FROM --platform=$BUILDPLATFORM BARE AS tools
        FROM BARE
        ARG TARGETPLATFORM
        ARG TARGETOS
        ARG TARGETARCH
        ARG TARGETVARIANT
        ARG BUILDOS
        ARG BUILDARCH
        LABEL platform=$TARGETPLATFORM os=$TARGETOS arch=$TARGETARCH variant="[$TARGETVARIANT]"
        LABEL build=$BUILDOS/$BUILDARCH
        """,
    ),
    Case(
        "The automatic arguments of another platform",
        """
        FROM BARE
        ARG TARGETPLATFORM
        ARG TARGETARCH
        ARG TARGETVARIANT
        LABEL platform=$TARGETPLATFORM arch=$TARGETARCH variant="[$TARGETVARIANT]"
        """,
        platform="linux/arm/v7",
    ),
    Case(
        "An automatic argument that no ARG asks for is empty",
        """
        FROM BARE
        LABEL arch="[$TARGETARCH]"
        """,
    ),
    Case(
        "Variables in COPY, its flags and WORKDIR",
        """
        FROM BASE
        ARG FILE=a.txt
        ARG OWNER=3:4
        ENV TO=/to
        WORKDIR $TO/dir
        COPY --chown=$OWNER ${FILE} $TO/
        COPY ${MISSING:-b.txt} .
        """,
        {"a.txt": "a", "b.txt": "b"},
    ),
    Case(
        "An instruction that does not exist is refused",
        """
        FROM BARE
        COPYY a b
        """,
        fails=True,
    ),
)
