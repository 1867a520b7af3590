"""A front end's key and certificate: `store` keeps them, `keys` makes them, `vault` says how a keyring may fail."""
