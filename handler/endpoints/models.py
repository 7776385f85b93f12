"""GET /models, /models/{id}: what this key may use, in OpenAI's shape or for its clients in Anthropic's."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request

from handler.endpoints.response import Response, json_response
from handler.errors import NotFound
from handler.gateway.gateway import Gateway

Json = dict[str, Any]


async def models(gateway: Gateway, request: Request) -> Response:
    listed = await _listed(gateway, request)
    if "anthropic-version" not in request.headers:
        return json_response({"object": "list", "data": listed})
    data = [_anthropic(item) for item in listed]
    ends = (
        {"first_id": data[0]["id"], "last_id": data[-1]["id"]}
        if data
        else {"first_id": None, "last_id": None}
    )
    return json_response({"data": data, "has_more": False, **ends})


async def model(gateway: Gateway, request: Request) -> Response:
    wanted = request.path_params["id"].lower()
    for item in await _listed(gateway, request):
        if item["id"].lower() == wanted:
            return json_response(_anthropic(item) if "anthropic-version" in request.headers else item)
    raise NotFound(f"There is no model {request.path_params['id']!r} that this key may use.", param="model")


async def _listed(gateway: Gateway, request: Request) -> list[Json]:
    key = await gateway.admitted(request.scope["sluice.entry"])
    return await gateway.models(key)


def _anthropic(item: Json) -> Json:
    return {
        "type": "model",
        "id": item["id"],
        "display_name": item["id"],
        "created_at": "1970-01-01T00:00:00Z",
    }
