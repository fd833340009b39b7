"""Who we are to a registry: credentials, where they are kept, and the tokens they buy."""
