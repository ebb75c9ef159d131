"""Tables: a user's CSV, TSV or Parquet files, read, converted and checked."""
