"""Runs the jobs of registry once, in a process that the test kills: settings come by the environment."""

from banyan.runtime.host import jobs
from banyan.runtime.host.app import App, load_service, open_keys
from banyan.runtime.host.settings import load

settings = load()
jobs.turn(App(load_service("registry"), settings, open_keys(settings)).bus)
