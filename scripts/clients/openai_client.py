"""OpenAI's Python client against a server of ift: base URL and name of the model as arguments. JSON of what was tried; exit code 1 where
something did not hold."""
import asyncio
import json
import sys

import openai

url, model = sys.argv[1:3]
client = openai.OpenAI(base_url=url, api_key="none", max_retries=0)
asked = {
    "model": model,
    "messages": [{"role": "user", "content": "Name three colours."}],
    "temperature": 0,
    "max_tokens": 24,
}
tried = {}


def check(function):
    try:
        function()
        tried[function.__name__] = "ok"
    except Exception as error:  # noqa: BLE001: every failure is reported
        tried[function.__name__] = f"{type(error).__name__}: {error}"


@check
def models():
    assert model in [one.id for one in client.models.list()]
    assert client.models.retrieve(model).id == model


@check
def chat_and_stream():
    whole = client.chat.completions.create(**asked)
    text = whole.choices[0].message.content
    assert text
    pieces, usage = [], None
    for chunk in client.chat.completions.create(
        **asked, stream=True, stream_options={"include_usage": True}
    ):
        usage = chunk.usage or usage
        pieces += [choice.delta.content or "" for choice in chunk.choices]
    assert "".join(pieces) == text, pieces
    assert usage.completion_tokens == whole.usage.completion_tokens


@check
def completions_with_echo():
    whole = client.completions.create(
        model=model, prompt="The sky is", temperature=0, max_tokens=4, echo=True, logprobs=2
    )
    found = whole.choices[0].logprobs
    assert whole.choices[0].text.startswith("The sky is")
    assert found.token_logprobs[0] is None
    assert "".join(found.tokens) == whole.choices[0].text
    assert len(found.tokens) == len(found.token_logprobs) == len(found.text_offset)


@check
def logprobs():
    whole = client.chat.completions.create(**asked, logprobs=True, top_logprobs=3)
    content = whole.choices[0].logprobs.content
    said = b"".join(bytes(one.bytes) for one in content).decode()
    assert whole.choices[0].message.content in said
    assert all(one.logprob == one.top_logprobs[0].logprob for one in content)


@check
def json_schema():
    schema = {
        "type": "object",
        "properties": {"colours": {"type": "array", "items": {"enum": ["red", "green", "blue"]}, "maxItems": 3}},
        "required": ["colours"],
        "additionalProperties": False,
    }
    whole = client.chat.completions.create(
        **{**asked, "max_tokens": 64},
        response_format={"type": "json_schema", "json_schema": {"name": "colours", "schema": schema, "strict": True}},
    )
    assert set(json.loads(whole.choices[0].message.content)["colours"]) <= {"red", "green", "blue"}


@check
def several_with_seed():
    options = {**asked, "temperature": 1, "n": 3, "seed": 5}
    texts = [[c.message.content for c in client.chat.completions.create(**options).choices] for _ in range(2)]
    assert texts[0] == texts[1]
    assert len(set(texts[0])) > 1


@check
def errors():
    for change, kind in [
        ({"model": "other"}, openai.NotFoundError),
        ({"temperature": -1}, openai.BadRequestError),
    ]:
        try:
            client.chat.completions.create(**{**asked, **change})
        except kind as error:
            assert error.request_id and error.code, error
        else:
            raise AssertionError(f"no {kind.__name__}")


@check
def cancelled():
    async def run():
        own = openai.AsyncOpenAI(base_url=url, api_key="none", max_retries=0)
        waiting = asyncio.create_task(own.chat.completions.create(**{**asked, "max_tokens": 512}))
        await asyncio.sleep(0.3)
        waiting.cancel()
        try:
            await waiting
        except asyncio.CancelledError:
            pass
        assert (await own.chat.completions.create(**asked)).choices

    asyncio.run(run())


print(json.dumps({"openai": openai.__version__, "python": sys.version.split()[0], "tried": tried}))
sys.exit(0 if all(value == "ok" for value in tried.values()) else 1)
