"""The shell around the engine: sockets, FIX sessions, files, the clock, the command line."""
