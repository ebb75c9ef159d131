"""Images: bytes of files to square pixels, and features that need no training."""
