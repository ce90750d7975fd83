"""What configuration is made of: kinds of directives, their store, CONFIG REWRITE; `emulator.config` has the table."""
