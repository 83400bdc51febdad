"""Content-addressed bytes: small objects in packs, large ones loose."""
