"""The command line: one file a group of commands, read by `recjax.cli.main`."""
