"""The commands `sluice keys` and `sluice rules`."""
