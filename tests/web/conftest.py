"""The app over a small project with a history."""

import pytest

from gamelake.web.app import create_app
from web.web_server import client_of
from web.web_world import fill, toy_project


@pytest.fixture(scope="session")
def filled(tmp_path_factory):
    """The project and its runs; tests that change it use their own."""
    with toy_project(tmp_path_factory.mktemp("toy")) as project:
        project.runs = fill(project)
        yield project


@pytest.fixture(scope="session")
def client(filled):
    with client_of(create_app(filled, packs=[])) as made:
        yield made


@pytest.fixture
def runs(filled):
    return filled.runs
