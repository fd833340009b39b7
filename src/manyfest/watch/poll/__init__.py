"""What is asked of registries next, and how: as little as will do, and as often as they like."""
