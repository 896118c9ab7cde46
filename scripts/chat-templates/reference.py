"""Renders every template over conversations.json with transformers, and writes what came out as JSON.

    python scripts/chat-templates/reference.py CACHE OUT.json
"""

import copy
import json
import sys
from pathlib import Path

from templates import fetch, templates
from transformers import __version__
from transformers.utils import chat_template_utils as utils

TOKENS = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}


class Clock(utils.datetime):
    """26 July 2024, the date that ift gives to templates."""

    @classmethod
    def now(cls, tz=None):
        return cls(2024, 7, 26)


def conversations():
    made = {}
    for entry in json.loads((Path(__file__).parent / "conversations.json").read_text()):
        tools = entry.get("tools") or made.get(entry.get("like"), {}).get("tools")
        made[entry["name"]] = {**entry, "tools": tools}
    return list(made.values())


def render(source, messages, tools, ask):
    try:
        (text,), _ = utils.render_jinja_template(
            [messages], tools=tools, chat_template=source, add_generation_prompt=ask, **TOKENS
        )
        return {"text": text}
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}


def with_text(messages):
    """The same calls with their arguments as OpenAI's API writes them."""
    changed = copy.deepcopy(messages)
    for message in changed:
        for call in message.get("tool_calls") or []:
            call["function"]["arguments"] = json.dumps(call["function"]["arguments"], ensure_ascii=False)
    return changed


def with_parts(messages):
    """Content as a list of parts, which templates of models that also see images may ask for."""
    changed = copy.deepcopy(messages)
    for message in changed:
        if isinstance(message["content"], str):
            message["content"] = [{"type": "text", "text": message["content"]}]
    return changed


def main(cache, out):
    utils.datetime = Clock
    fetch(Path(cache), sys.executable)
    rows = []
    for package, name, source in templates(Path(cache)):
        for entry in conversations():
            forms = [entry["messages"]]
            if entry.get("arguments") == "text":
                forms.insert(0, with_text(entry["messages"]))
            forms.append(with_parts(entry["messages"]))
            rows.append(
                {
                    "package": package,
                    "template": name,
                    "source": source,
                    "conversation": entry["name"],
                    "messages": forms[0],
                    "tools": entry["tools"],
                    # As it was given first, then with an object for a text and with parts, which ift gives where a template needs them.
                    "whole": [render(source, messages, entry["tools"], False) for messages in forms],
                    "prompt": [render(source, messages[:-1], entry["tools"], True) for messages in forms],
                }
            )
    Path(out).write_text(json.dumps({"transformers": __version__, "tokens": TOKENS, "rows": rows}))


if __name__ == "__main__":
    main(*sys.argv[1:3])
