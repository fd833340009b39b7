"""What keeps images to run them: Docker's daemon, and Podman."""
