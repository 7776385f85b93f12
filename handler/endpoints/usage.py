"""GET /usage: tokens and cost of the last days; a key sees its own, a key with scope `manage` everything."""

from __future__ import annotations

from handler.aws.errors import StoreError
from handler.endpoints.exchange.http import HttpRequest
from handler.endpoints.exchange.response import Response, json_response
from handler.errors import Unavailable
from handler.gateway.admission import authenticate
from handler.gateway.lifecycle import Gateway


async def usage(gateway: Gateway, request: HttpRequest) -> Response:
    key = await authenticate(gateway, request.scope["sluice.entry"])
    from handler.store.usage_report import Caller, read_question, read_report  # few requests need it

    parameters: dict[str, str] = {}
    for name, text in request.query_params.multi_items():  # `by` may be repeated
        parameters[name] = f"{parameters[name]},{text}" if name in parameters else text
    question = read_question(parameters, gateway.now().date())
    caller = None if "manage" in key.scopes else Caller(key.project, key.id)
    try:
        report = await read_report(gateway.usage.items, question, caller)
    except StoreError as error:
        raise Unavailable(
            "The usage totals cannot be read at the moment.",
            code="store_unavailable",
            retry_after=1,
        ) from error
    if question.format == "csv":
        return Response(report.as_csv().encode(), headers={"content-type": "text/csv; charset=utf-8"})
    return json_response(report.as_json())
