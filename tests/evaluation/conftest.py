import evaluation_worlds
import pytest

from aixi.agents.registry import AGENTS


@pytest.fixture(autouse=True)
def own_registrations(monkeypatch):
    """The agents of these tests are registered for the length of a test, and faulty environments faulty again."""
    monkeypatch.setattr(AGENTS, "_entries", dict(AGENTS._entries))
    evaluation_worlds.register_agents()
    monkeypatch.setattr(evaluation_worlds.Faulty, "cured", False)
