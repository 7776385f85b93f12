"""The clients of docs/clients.md, in its order."""

from __future__ import annotations

from scripts.clients.agents import AGENTS
from scripts.clients.client import Client
from scripts.clients.libraries import LIBRARIES

CLIENTS: tuple[Client, ...] = (*AGENTS, *LIBRARIES)
