"""Preparing: raw or own files -> checked -> a folder of array_record."""
