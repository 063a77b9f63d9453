"""Webhooks may lead to this machine, where the tests have their receivers."""

from dataclasses import replace

import pytest

from app.config import Config
from app.webhooks.job import Delivering
from tests.support.webhooks import HERE, delivering


@pytest.fixture
def config(config: Config) -> Config:
    """The settings, with WEBHOOK_ALLOW."""
    return replace(config, webhook_allow=(HERE,))


@pytest.fixture
def job(config: Config) -> Delivering:
    """The job that delivers."""
    return delivering(config)
