"""Data sets as TFDS builders that write array_record and need no TensorFlow."""
