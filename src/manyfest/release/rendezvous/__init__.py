"""The rendezvous of parallel jobs: each stages the platforms that it has built, and one waits for
them all, joins them and publishes. What they share lies in the registry alone."""
