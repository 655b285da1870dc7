"""One package a service; each says in its own first lines what it owns, promises and refuses."""
