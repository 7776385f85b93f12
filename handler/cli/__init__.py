"""What `sluice keys` and `sluice rules` do."""
