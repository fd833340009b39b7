"""What instructions that touch no file say in an image's configuration and history."""

from __future__ import annotations

from tests.differential.case import DOCKERS, RECENT, Case

CONFIGURATION = (
    Case(
        "CMD in shell form gets the shell",
        """
        FROM BARE
        CMD echo "one  two" $HOME
        """,
    ),
    Case(
        "CMD in exec form is kept word by word",
        r"""
        FROM BARE
        CMD ["/app", "a b", "$HOME", "\"quoted\"", "tab\there", "\u00e9"]
        """,
    ),
    Case(
        "The last CMD counts",
        """
        FROM BARE
        CMD ["first"]
        CMD ["second"]
        """,
    ),
    Case(
        "An empty CMD clears the one of the base",
        """
        FROM BASE
        CMD []
        """,
    ),
    Case(
        "What is no JSON list is a command for the shell",
        """
        FROM BARE
        CMD ['/app', 'it']
        ENTRYPOINT [/app]
        """,
    ),
    Case(
        "ENTRYPOINT in shell form gets the shell",
        """
        FROM BARE
        ENTRYPOINT exec /app --port $PORT
        """,
    ),
    Case(
        "ENTRYPOINT clears the CMD of the base",
        """
        FROM BASE
        ENTRYPOINT ["/app"]
        """,
    ),
    Case(
        "ENTRYPOINT keeps a CMD of the same stage",
        """
        FROM BASE
        CMD ["serve"]
        ENTRYPOINT ["/app"]
        """,
    ),
    Case(
        "ENTRYPOINT clears the CMD of the stage it starts from",
        """
        FROM BARE AS one
        CMD ["serve"]
        FROM one
        ENTRYPOINT ["/app"]
        """,
    ),
    Case(
        "An empty ENTRYPOINT clears the one of the base",
        """
        FROM BASE
        ENTRYPOINT []
        """,
    ),
    Case(
        "SHELL is put before commands that follow it",
        """
        FROM BARE
        CMD before
        SHELL ["/bin/bash", "-o", "pipefail", "-c"]
        ENTRYPOINT after | tee /log
        """,
    ),
    Case(
        "SHELL is inherited from the stage before",
        """
        FROM BARE AS one
        SHELL ["/bin/ash", "-c"]
        FROM one
        CMD run
        """,
    ),
    Case(
        "ENV in both of its forms",
        r"""
        FROM BARE
        ENV ONE=1 TWO="two words" THREE=three\ words FOUR='$ONE' EMPTY=
        ENV legacy   all of the  rest = this
        """,
    ),
    Case(
        "ENV replaces a variable in its place",
        """
        FROM BASE
        ENV NEW=1
        ENV ORIGIN=here NEW=2 PATH=/first:$PATH
        """,
    ),
    Case(
        "Variables see what was before their instruction",
        """
        FROM BARE
        ENV A=old
        ENV A=new B=$A C=${A}
        ENV D=$A
        """,
    ),
    Case(
        "LABEL quotes, continues and replaces",
        r"""
        FROM BASE
        LABEL origin=here "with blank"="a value" multi="one \
        two" org.example.url='https://example.org/?a=b&c=d'
        LABEL legacy form of it
        LABEL empty=""
        """,
    ),
    Case(
        "LABEL with variables in its name and value",
        """
        FROM BARE
        ARG VERSION=1.2
        ENV PREFIX=org.example
        LABEL ${PREFIX}.version="v$VERSION" "$PREFIX.raw"='$VERSION'
        """,
    ),
    Case(
        "EXPOSE of ports, protocols and ranges",
        """
        FROM BARE
        EXPOSE 80 53/udp 9000-9002/tcp
        EXPOSE 443/TCP 132/sctp
        """,
    ),
    Case(
        "EXPOSE with variables, beside those of the base",
        """
        FROM BASE
        ARG PORT=8081
        ENV MORE="90 91/udp"
        EXPOSE $PORT $MORE
        """,
    ),
    Case(
        "VOLUME in both forms, beside that of the base",
        """
        FROM BASE
        ENV WHERE=/var/lib/app
        VOLUME /logs $WHERE
        VOLUME ["/with blank", "/other"]
        """,
    ),
    Case(
        "VOLUME with a relative path",
        """
        FROM BARE
        WORKDIR /w
        VOLUME data
        """,
    ),
    Case(
        "USER by name, number and group",
        """
        FROM BASE
        ARG WHO=app
        USER nobody
        USER 12:34
        USER $WHO:staff
        """,
    ),
    Case(
        "STOPSIGNAL by name",
        """
        FROM BASE
        ARG SIGNAL=SIGUSR1
        STOPSIGNAL $SIGNAL
        """,
    ),
    Case(
        "STOPSIGNAL by number",
        """
        FROM BASE
        STOPSIGNAL 9
        """,
    ),
    Case(
        "STOPSIGNAL that is none is refused",
        """
        FROM BASE
        STOPSIGNAL SIGNONE
        """,
        judges=DOCKERS,
        fails=True,
    ),
    Case(
        "HEALTHCHECK with every option of its time",
        """
        FROM BARE
        HEALTHCHECK --interval=1m30s --timeout=1500ms --start-period=5s --retries=7 \\
            CMD curl -f http://localhost/ || exit 1
        """,
    ),
    Case(
        "HEALTHCHECK with a start interval",
        """
        FROM BARE
        HEALTHCHECK --start-interval=2s --start-period=1h CMD ["/app", "check"]
        """,
        judges=RECENT,
        expected=(
            "Healthcheck.StartInterval: 2000000000",
            "Healthcheck.StartPeriod: 3600000000000",
            "Healthcheck.Test: ['CMD', '/app', 'check']",
        ),
    ),
    Case(
        "HEALTHCHECK in exec form, the last one",
        """
        FROM BASE
        HEALTHCHECK CMD true
        HEALTHCHECK --retries=2 CMD ["/bin/tool", "a b"]
        """,
    ),
    Case(
        "HEALTHCHECK NONE turns off that of the base",
        """
        FROM BASE
        HEALTHCHECK NONE
        """,
    ),
    Case(
        "ONBUILD is kept as it is written",
        """
        FROM BARE
        ONBUILD COPY   . /app
        onbuild env A="$B c"
        ONBUILD CMD ["run", "it"]
        """,
    ),
    Case(
        "ONBUILD of a base image is carried out first, and then gone",
        """
        FROM TRIGGERS
        LABEL after=$TRIGGERED
        COPY b.txt /
        """,
        {"a.txt": "a", "b.txt": "b"},
    ),
    Case(
        "ONBUILD of an earlier stage is carried out",
        """
        FROM BARE AS one
        ONBUILD COPY a.txt /from-trigger
        ONBUILD LABEL triggered=yes
        FROM one
        LABEL own=yes
        """,
        {"a.txt": "a"},
    ),
    Case(
        "ONBUILD of a trigger is refused",
        """
        FROM BARE
        ONBUILD ONBUILD CMD x
        """,
        judges=DOCKERS,
        fails=True,
    ),
    Case(
        "MAINTAINER is the author",
        """
        FROM BARE
        MAINTAINER A. Uthor <a@example.org>
        """,
    ),
    Case(
        "WORKDIR builds up, and is made",
        """
        FROM BARE
        ENV DIR=three
        WORKDIR /one
        WORKDIR two
        WORKDIR $DIR
        WORKDIR ../four/./
        """,
    ),
    Case(
        "WORKDIR goes on from that of the base",
        """
        FROM BASE
        WORKDIR www
        WORKDIR new
        """,
    ),
    Case(
        "WORKDIR belongs to the user",
        """
        FROM BASE
        USER app
        WORKDIR /home/app/a/b
        USER 7:8
        WORKDIR /seven/eight
        USER 9
        WORKDIR /nine
        """,
    ),
    Case(
        "WORKDIR through a link of the base",
        """
        FROM BASE
        WORKDIR /www/below
        """,
    ),
    Case(
        "WORKDIR through a link that leads nowhere",
        """
        FROM BASE
        WORKDIR /dangling/below
        """,
    ),
    Case(
        "WORKDIR that is there keeps its mode and owner",
        """
        FROM BASE
        USER 5:5
        WORKDIR /data
        """,
    ),
    Case(
        "WORKDIR of the root",
        """
        FROM BARE
        WORKDIR /
        """,
    ),
)
