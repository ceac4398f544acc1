"""What takes minutes: scans, compatibility, faults, mutants, made-up histories. `make help` lists the tasks."""
