"""`recjax serve`: TensorFlow Serving's REST contract, answered from open bundles."""
