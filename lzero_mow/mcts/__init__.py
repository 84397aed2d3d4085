"""Monte-Carlo tree search in latent space: LightZero's compiled trees, and the key-value caches of their nodes."""
