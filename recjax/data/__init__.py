"""Data: raw files -> checked tables -> prepared array_record -> columns in memory."""
