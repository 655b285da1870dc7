"""What a process is made of: settings, database, clock, telemetry, schedules, jobs, and the building of a service."""
