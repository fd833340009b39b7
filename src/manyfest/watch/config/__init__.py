"""``watch.yaml``: what is watched, who is told, and how often registries are asked."""
