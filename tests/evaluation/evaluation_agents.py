"""Registers the agents of the tests where a process of its own imports this."""

import evaluation_worlds

evaluation_worlds.register_agents()
