"""GET /models, /models/{id}: the models that a key may use, in the format of OpenAI, Anthropic or Google."""

from __future__ import annotations

from handler.endpoints.exchange.http import HttpRequest, read_query_key
from handler.endpoints.exchange.response import Response, json_response
from handler.errors import Json, NotFound
from handler.gateway.admission import authenticate, refusal_error
from handler.gateway.lifecycle import Gateway
from rules import Facts, Refusal, list_models


async def models(gateway: Gateway, request: HttpRequest) -> Response:
    listed = await _models(gateway, request)
    if _GOOGLE in request.headers:
        return json_response(_google_list(listed, request))
    if _ANTHROPIC in request.headers:
        return json_response(_anthropic_list(listed))
    return json_response({"object": "list", "data": listed})


async def model(gateway: Gateway, request: HttpRequest) -> Response:
    item = await _model(gateway, request)
    if _GOOGLE in request.headers:
        return json_response(_google(item))
    return json_response(_anthropic(item) if _ANTHROPIC in request.headers else item)


async def google_models(gateway: Gateway, request: HttpRequest) -> Response:
    read_query_key(request)
    return json_response(_google_list(await _models(gateway, request), request))


async def google_model(gateway: Gateway, request: HttpRequest) -> Response:
    read_query_key(request)
    return json_response(_google(await _model(gateway, request)))


# Headers of clients that share their path with OpenAI's.
_GOOGLE, _ANTHROPIC = "x-goog-api-key", "anthropic-version"


async def _model(gateway: Gateway, request: HttpRequest) -> Json:
    id = request.path_params["id"]
    for item in await _models(gateway, request):
        if item["id"].lower() == id.lower():
            return item
    raise NotFound(f"There is no model {id!r} that this key may use.", param="model")


async def _models(gateway: Gateway, request: HttpRequest) -> list[Json]:
    """Return the models of the caller's key in OpenAI's format. Raises GatewayError."""
    key = await authenticate(gateway, request.scope["sluice.entry"])
    policy = await gateway.policies.current()
    facts = Facts(key=key.id, project=key.project, key_models=key.models)
    found = list_models(policy.ruleset, policy.catalog, policy.live, facts)
    if isinstance(found, Refusal):
        raise refusal_error(found, retry_after=policy.retry_after)
    return found


def _anthropic_list(listed: list[Json]) -> Json:
    data = [_anthropic(item) for item in listed if _is_for_chats(item)]
    first, last = (data[0]["id"], data[-1]["id"]) if data else (None, None)
    return {"data": data, "has_more": False, "first_id": first, "last_id": last}


def _google_list(listed: list[Json], request: HttpRequest) -> Json:
    """Return a page: `pageSize` models from the place in `pageToken` on, by default all."""
    items = [_google(item) for item in listed if _is_for_chats(item)]
    start = _count(request, "pageToken") or 0
    end = start + (_count(request, "pageSize") or len(items))
    more = {"nextPageToken": str(end)} if end < len(items) else {}
    return {"models": items[start:end], **more}


def _count(request: HttpRequest, name: str) -> int | None:
    """Return a number of the query, None if it is absent or is none."""
    text = request.query_params.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _is_for_chats(item: Json) -> bool:
    return "operations" not in item


def _anthropic(item: Json) -> Json:
    """Return a model as Anthropic lists it. Retired models are not listed, so all are active."""
    window = {"max_input_tokens": item["context_length"]} if "context_length" in item else {}
    return {
        "type": "model",
        "id": item["id"],
        "display_name": item["id"],
        "created_at": "1970-01-01T00:00:00Z",
        "lifecycle": "active",
        **window,
    }


def _google(item: Json) -> Json:
    window = {"inputTokenLimit": item["context_length"]} if "context_length" in item else {}
    methods = ["generateContent", "streamGenerateContent", "countTokens"] if _is_for_chats(item) else []
    return {
        "name": f"models/{item['id']}",
        "displayName": item["id"],
        **window,
        "supportedGenerationMethods": methods,
    }
