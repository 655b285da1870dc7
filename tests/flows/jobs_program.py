"""`jobs_program.py SERVICE`: runs the jobs of a service once, in a process that a test kills. Settings by the environment."""

import sys

from banyan.runtime.host import jobs
from banyan.runtime.host.app import App, load_service, open_keys
from banyan.runtime.host.settings import load

settings = load()
jobs.turn(App(load_service(sys.argv[1]), settings, open_keys(settings)).bus)
