import evaluation_worlds
import pytest


@pytest.fixture(autouse=True)
def ill(monkeypatch):
    """Faulty environments are faulty again in each test."""
    monkeypatch.setattr(evaluation_worlds.Faulty, "cured", False)
