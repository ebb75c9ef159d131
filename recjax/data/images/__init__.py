"""Images: decoding, augmentation, tables of labelled images, batches of triplets."""
