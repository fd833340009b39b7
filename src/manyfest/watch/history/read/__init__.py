"""What the history holds, as pages and machines ask for it. An index answers every question."""
