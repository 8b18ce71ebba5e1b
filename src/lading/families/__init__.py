"""The shelf of families: a module here that holds a `FAMILY` is one, by being here."""
