"""What is known of this release from earlier runs of it, and what follows from that."""
