"""What the official clients make of the fixtures, read through the in-process server.

`sdk_check.py ADDRESS FOLDER…`: the server's address, and the fixtures' folders (those that the
server serves). Run by scripts/sdk-check inside its environment. Exit codes: 0 all equal but for
the known differences, 1 others.

Every stream is read by the client event by event, and what comes out is held field by field
against its `expected.json`; every whole answer against the fixture's body; every error against the
fixture's status and body, and the class that the client has for that status.
"""

import json
import os
import sys
from pathlib import Path

import anthropic
import boto3
import botocore.config
import botocore.exceptions
import google.genai
import google.genai.errors
import google.genai.types
import openai

KEY = "a-key-that-no-service-knows"
ASK = [{"role": "user", "content": "Where is my receipt?"}]

# Where a client drops or rewrites what was sent: (fixture, field) and why.
KNOWN = {
    ("gemini/response_malformed_function_call", "candidates.0.finishMessage"): "google-genai 3.6.1 drops it",
}

STATUS_CLASSES = {
    "openai": {
        400: "BadRequestError", 401: "AuthenticationError", 403: "PermissionDeniedError", 404: "NotFoundError",
        409: "ConflictError", 422: "UnprocessableEntityError", 429: "RateLimitError",
    },
    "anthropic": {
        400: "BadRequestError", 401: "AuthenticationError", 402: "PaymentRequiredError",
        403: "PermissionDeniedError", 404: "NotFoundError", 413: "ContentTooLargeError", 429: "RateLimitError",
        503: "ServiceUnavailableError", 504: "GatewayTimeoutError", 529: "OverloadedError",
    },
}


class Said:
    """What a client made of a stream so far, in the fields of `expected.json`."""

    def __init__(self):
        self.text, self.reasoning, self.refusal = "", "", ""
        self.calls = {}
        self.stop, self.usage, self.failed = None, None, None
        self.first_output = self.first_visible = self.first_argument = None

    def add(self, index, text="", reasoning="", refusal="", name="", arguments=""):
        """A piece of output, seen at the event of this index."""
        self.text += text or ""
        self.reasoning += reasoning or ""
        self.refusal += refusal or ""
        if arguments and self.first_argument is None:
            self.first_argument = index
        visible = text or refusal or name or arguments
        if (visible or reasoning) and self.first_output is None:
            self.first_output = index
        if visible and self.first_visible is None:
            self.first_visible = index

    def call(self, key):
        return self.calls.setdefault(key, {"id": None, "name": "", "arguments": ""})

    def fields(self):
        complete = self.stop is not None and self.failed is None
        calls = [
            # A call without arguments is a call with none.
            {**call, "arguments": json.loads(call["arguments"] or "{}") if isinstance(call["arguments"], str) else call["arguments"]}
            for _, call in sorted(self.calls.items())
        ]
        return {
            "text": self.text, "reasoning_text": self.reasoning, "refusal": self.refusal, "tool_calls": calls,
            "stop": self.stop if complete else None, "complete": complete, "usage": self.usage if complete else None,
            "first_output_event": self.first_output, "first_visible_event": self.first_visible,
            "first_argument_event": self.first_argument,
        }


def usage(uncached, read=None, write_5m=None, write_1h=None, output=None, reasoning=None):
    """Tokens as the fixtures write them: a detail that was not reported is 0 there."""
    return {
        "input_uncached": uncached, "cache_read": read or 0, "cache_write_5m": write_5m or 0,
        "cache_write_1h": write_1h or 0, "output_total": output, "reasoning": reasoning or 0,
    }


class OpenaiChat:
    folders = ("openai_chat", "openai_compatible")

    def __init__(self, address):
        self.client = openai.OpenAI(base_url=f"{address}/v1", api_key=KEY, max_retries=0)
        self.create = self.client.chat.completions.create

    def stream(self, name, said):
        chunks = self.create(model=name, messages=ASK, stream=True, stream_options={"include_usage": True})
        for index, chunk in enumerate(chunks):
            if chunk.usage:
                said.usage = self.usage(chunk.usage)
            for choice in chunk.choices:
                delta, more = choice.delta, choice.delta.model_extra or {}
                reasoning = more.get("reasoning") or more.get("reasoning_content")
                said.add(index, text=delta.content, reasoning=reasoning, refusal=delta.refusal)
                for piece in delta.tool_calls or []:
                    call = said.call(piece.index)
                    call["id"] = piece.id or call["id"]
                    call["name"] += piece.function.name or ""
                    call["arguments"] += piece.function.arguments or ""
                    said.add(index, name=piece.function.name, arguments=piece.function.arguments)
                said.stop = choice.finish_reason or said.stop

    @staticmethod
    def usage(sent):
        prompt, output = sent.prompt_tokens_details, sent.completion_tokens_details
        read = getattr(prompt, "cached_tokens", None) or 0
        written = getattr(prompt, "cache_write_tokens", None) or 0
        reasoning = getattr(output, "reasoning_tokens", None)
        return usage(sent.prompt_tokens - read - written, read, written, 0, sent.completion_tokens, reasoning)

    def whole(self, name):
        return self.create(model=name, messages=ASK).to_dict(mode="json")

    def failure(self, error):
        return openai_failure(error)


def openai_failure(error):
    """Status, class, and the body as the client keeps it: without its envelope."""
    if isinstance(error, openai.APIStatusError):
        return error.status_code, type(error).__name__, error.body
    return None


class OpenaiResponses:
    folders = ("openai_responses",)

    def __init__(self, address):
        self.client = openai.OpenAI(base_url=f"{address}/v1", api_key=KEY, max_retries=0)
        self.create = self.client.responses.create

    def stream(self, name, said):
        for index, event in enumerate(self.create(model=name, input="Where is my receipt?", stream=True)):
            match event.type:
                case "response.output_text.delta":
                    said.add(index, text=event.delta)
                case "response.reasoning_summary_text.delta" | "response.reasoning_text.delta":
                    said.add(index, reasoning=event.delta)
                case "response.refusal.delta":
                    said.add(index, refusal=event.delta)
                case "response.output_item.added" if event.item.type == "function_call":
                    call = said.call(event.output_index)
                    call["id"], call["name"] = event.item.call_id, event.item.name
                    said.add(index, name=event.item.name)
                case "response.function_call_arguments.delta":
                    said.call(event.output_index)["arguments"] += event.delta
                    said.add(index, arguments=event.delta)
                case "response.completed" | "response.incomplete":
                    response = event.response
                    details = response.incomplete_details
                    said.stop = details.reason if details else response.status
                    said.usage = self.usage(response.usage)
                case "response.failed":
                    said.failed = [event.response.error.code]
                case "error":
                    said.failed = [event.code]

    @staticmethod
    def usage(sent):
        details = sent.input_tokens_details
        read = details.cached_tokens or 0
        written = getattr(details, "cache_write_tokens", None) or 0
        reasoning = sent.output_tokens_details.reasoning_tokens
        return usage(sent.input_tokens - read - written, read, written, 0, sent.output_tokens, reasoning)

    def whole(self, name):
        return self.create(model=name, input="Where is my receipt?").to_dict(mode="json")

    def failure(self, error):
        return openai_failure(error)


class Anthropic:
    folders = ("anthropic_messages",)
    # The client passes over these events, so that its events are counted without them.
    hidden = ("ping",)

    def __init__(self, address):
        self.client = anthropic.Anthropic(base_url=address, api_key=KEY, max_retries=0)

    def create(self, name, **more):
        return self.client.messages.create(model=name, max_tokens=64, messages=ASK, **more)

    def stream(self, name, said):
        for index, event in enumerate(self.create(name, stream=True)):
            match event.type:
                case "message_start":
                    start = event.message.usage
                case "content_block_start" if event.content_block.type == "tool_use":
                    call = said.call(event.index)
                    call["id"], call["name"] = event.content_block.id, event.content_block.name
                    said.add(index, name=event.content_block.name)
                case "content_block_delta":
                    delta = event.delta
                    match delta.type:
                        case "text_delta":
                            said.add(index, text=delta.text)
                        case "thinking_delta":
                            said.add(index, reasoning=delta.thinking)
                        case "input_json_delta":
                            said.call(event.index)["arguments"] += delta.partial_json
                            said.add(index, arguments=delta.partial_json)
                case "message_delta":
                    reason, end = event.delta.stop_reason, event.usage
                    written = start.cache_creation
                    details = getattr(end, "output_tokens_details", None)
                    said.usage = usage(
                        start.input_tokens, start.cache_read_input_tokens,
                        written.ephemeral_5m_input_tokens if written else start.cache_creation_input_tokens,
                        written.ephemeral_1h_input_tokens if written else 0,
                        end.output_tokens, details and details.thinking_tokens,
                    )
                case "message_stop":
                    said.stop = reason

    def whole(self, name):
        return self.create(name).to_dict(mode="json")

    def failure(self, error):
        if isinstance(error, anthropic.APIStatusError):
            return error.status_code, type(error).__name__, error.body
        return None


class Gemini:
    folders = ("gemini",)

    def __init__(self, address):
        options = google.genai.types.HttpOptions(base_url=address)
        self.client = google.genai.Client(api_key=KEY, http_options=options)

    def stream(self, name, said):
        chunks = self.client.models.generate_content_stream(model=name, contents="Where is my receipt?")
        for index, chunk in enumerate(chunks):
            if chunk.usage_metadata:
                said.usage = self.usage(chunk.usage_metadata)
            for candidate in chunk.candidates or []:
                for part in (candidate.content and candidate.content.parts) or []:
                    if part.thought:
                        said.add(index, reasoning=part.text)
                    elif part.function_call:
                        call = said.call(len(said.calls))
                        sent = part.function_call
                        call["id"], call["name"], call["arguments"] = sent.id, sent.name, sent.args
                        said.add(index, name=sent.name, arguments=sent.args)
                    else:
                        said.add(index, text=part.text)
                if candidate.finish_reason:
                    said.stop = candidate.finish_reason.value

    @staticmethod
    def usage(sent):
        read, thoughts = sent.cached_content_token_count or 0, sent.thoughts_token_count or 0
        output = (sent.candidates_token_count or 0) + thoughts
        return usage(sent.prompt_token_count - read, read, 0, 0, output, thoughts)

    def whole(self, name):
        answer = self.client.models.generate_content(model=name, contents="Where is my receipt?")
        own = {"sdk_http_response", "automatic_function_calling_history"}  # of the client, not of the answer
        return answer.model_dump(mode="json", by_alias=True, exclude_none=True, exclude=own)

    def failure(self, error):
        if isinstance(error, google.genai.errors.APIError):
            return error.code, type(error).__name__, error.details
        return None


class Bedrock:
    folders = ("bedrock",)

    def __init__(self, address):
        config = botocore.config.Config(retries={"total_max_attempts": 1}, proxies={})
        self.client = boto3.client(
            "bedrock-runtime", endpoint_url=address, region_name="us-east-1", config=config,
            aws_access_key_id="none", aws_secret_access_key=KEY,
        )
        self.ask = [{"role": "user", "content": [{"text": "Where is my receipt?"}]}]

    def stream(self, name, said):
        for index, event in enumerate(self.client.converse_stream(modelId=name, messages=self.ask)["stream"]):
            (kind, payload), = event.items()
            match kind:
                case "contentBlockStart" if "toolUse" in payload["start"]:
                    call, sent = said.call(payload["contentBlockIndex"]), payload["start"]["toolUse"]
                    call["id"], call["name"] = sent["toolUseId"], sent["name"]
                    said.add(index, name=sent["name"])
                case "contentBlockDelta":
                    delta = payload["delta"]
                    said.add(index, text=delta.get("text"), reasoning=delta.get("reasoningContent", {}).get("text"))
                    if "toolUse" in delta:
                        said.call(payload["contentBlockIndex"])["arguments"] += delta["toolUse"]["input"]
                        said.add(index, arguments=delta["toolUse"]["input"])
                case "messageStop":
                    said.stop = payload["stopReason"]
                case "metadata":
                    sent = payload["usage"]
                    said.usage = usage(
                        sent["inputTokens"], sent.get("cacheReadInputTokens"), sent.get("cacheWriteInputTokens"), 0,
                        sent["outputTokens"],
                    )

    def whole(self, name):
        answer = self.client.converse(modelId=name, messages=self.ask)
        answer.pop("ResponseMetadata")
        return answer

    def failure(self, error):
        # An error inside a stream is one of these too: it has another class, and its status was 200.
        if isinstance(error, botocore.exceptions.ClientError):
            said = error.response
            return said["ResponseMetadata"]["HTTPStatusCode"], said["Error"]["Code"], {"message": said["Error"]["Message"]}
        return None


class Tally:
    def __init__(self):
        self.equal, self.total, self.known, self.wrong = 0, 0, [], []

    def compare(self, fixture, field, expected, got):
        """One comparison; what differs is named by the place inside the field."""
        self.total += 1
        found = list(differences(expected, got, field))
        if not found:
            self.equal += 1
        elif all((fixture, place) in KNOWN for place, _, _ in found):
            self.known.extend(f"{fixture} {place}: {KNOWN[fixture, place]}" for place, _, _ in found)
        else:
            self.wrong.extend(
                f"{fixture} {place}: expected {short(wanted)}, the client has {short(have)}" for place, wanted, have in found
            )


def short(value):
    text = json.dumps(value, default=str)
    return text if len(text) <= 200 else text[:200] + "…"


def differences(expected, got, place):
    """Places where two JSON values differ."""
    if isinstance(expected, dict) and isinstance(got, dict):
        for key in {**expected, **got}:
            yield from differences(expected.get(key, "(absent)"), got.get(key, "(absent)"), f"{place}.{key}".lstrip("."))
    elif isinstance(expected, list) and isinstance(got, list) and len(expected) == len(got):
        for index, pair in enumerate(zip(expected, got)):
            yield from differences(*pair, f"{place}.{index}".lstrip("."))
    elif expected != got or isinstance(expected, bool) != isinstance(got, bool):
        yield place, expected, got


def events(fixture):
    """The types of a stream's data events."""
    lines = fixture.read_text().splitlines()
    return [json.loads(line[6:]).get("type") for line in lines if line.startswith("data: {")]


def error_words(error):
    """The words by which a client names an error that came inside a stream."""
    match error:
        case openai.APIError():
            return [error.type, error.code]
        case anthropic.APIStatusError():
            return [error.body["error"]["type"]]
        case google.genai.errors.APIError():
            return [error.status]
        case botocore.exceptions.ClientError():
            return [error.response["Error"]["Code"]]
    return [type(error).__name__]


def check_stream(wire, fixture, name, tally):
    said = Said()
    try:
        wire.stream(fixture.stem, said)
    except (openai.APIError, anthropic.APIError, google.genai.errors.APIError, botocore.exceptions.ClientError) as error:
        said.failed = error_words(error)
    expected = json.loads(fixture.with_suffix(".expected.json").read_text())
    got = said.fields()
    expected.setdefault("first_visible_event", expected["first_output_event"])
    if expected["first_visible_event"] is None or got["first_visible_event"] is None:
        got["first_visible_event"] = expected["first_visible_event"] = None
    hidden = [index for index, kind in enumerate(events(fixture)) if kind in getattr(wire, "hidden", ())]
    for field, value in expected.items():
        if field in got:
            if field.startswith("first_") and value is not None:
                value -= sum(index < value for index in hidden)
            tally.compare(name, field, value, got[field])
    for word in expected.get("error", {}).values():
        tally.compare(name, "error", word, word if word in (said.failed or []) else said.failed)


def check_whole(wire, fixture, name, tally):
    tally.compare(name, "", json.loads(fixture.read_text()), wire.whole(fixture.stem))


def check_error(wire, name, model, status, body, tally):
    try:
        wire.whole(model)
    except Exception as error:
        failure = wire.failure(error)
        if failure is None:
            tally.compare(name, "error", "an error with a status", f"{type(error).__name__}: {error}")
            return
        got_status, got_class, got_body = failure
    else:
        tally.compare(name, "error", "an error", "an answer")
        return
    tally.compare(name, "status", status, got_status)
    tally.compare(name, "class", expected_class(wire, status), got_class)
    if body is not None:
        tally.compare(name, "body", as_kept(wire, body), got_body)


def expected_class(wire, status):
    match wire:
        case Gemini():
            return "ClientError" if status < 500 else "ServerError"
        case Anthropic():
            return STATUS_CLASSES["anthropic"].get(status, "InternalServerError")
        case Bedrock():
            return {429: "ThrottlingException", 404: "ResourceNotFoundException"}[status]
        case _:
            return STATUS_CLASSES["openai"].get(status, "InternalServerError")


def as_kept(wire, body):
    """A body as the wire's client keeps it."""
    if isinstance(wire, (OpenaiChat, OpenaiResponses)) and isinstance(body, dict):
        return body.get("error", body)
    return body


def main():
    address, folders = sys.argv[1], [Path(folder) for folder in sys.argv[2:]]
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1"
    tally = Tally()
    for wire in (kind(address) for kind in (OpenaiChat, OpenaiResponses, Anthropic, Gemini, Bedrock)):
        before, fixtures = tally.total, 0
        for folder in (root / below for root in folders for below in wire.folders if (root / below).is_dir()):
            for fixture in sorted(folder.iterdir()):
                name = f"{folder.name}/{fixture.name.split('.')[0]}"
                if fixture.suffix == ".sse":
                    check_stream(wire, fixture, name, tally)
                elif fixture.name.startswith("response_"):
                    check_whole(wire, fixture, name, tally)
                elif fixture.name.startswith("error_"):
                    sent = json.loads(fixture.read_text())
                    check_error(wire, name, fixture.name.split(".")[0], sent["status"], sent["body"], tally)
                else:
                    continue
                fixtures += 1
        check_error(wire, f"{wire.folders[0]}/a request that is not recorded", "no_such_fixture", 404, None, tally)
        print(f"{type(wire).__name__}: {fixtures} fixtures, {tally.total - before} comparisons")
        assert fixtures, f"no fixtures for {type(wire).__name__}"
    for difference in tally.known:
        print(f"known difference: {difference}")
    for difference in tally.wrong:
        print(f"DIFFERENT: {difference}")
    print(f"{tally.equal} of {tally.total} comparisons equal")
    return 1 if tally.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
