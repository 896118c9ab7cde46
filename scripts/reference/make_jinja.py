"""Expressions and statements of chat templates with what transformers' Jinja2 makes of them.

Writes fixtures/jinja/expressions.json.
"""

import json
from pathlib import Path

from transformers.utils.chat_template_utils import _compile_jinja_template

CONTEXT = {
    "n": None,
    "s": "Ab c",
    "e": "",
    "l": [1, 2.0, "a", None, True],
    "d": {"a": 1, "b": [1, {"c": None}], "items": 5},
    "f": 1.5,
    "i": 7,
    "t": True,
    "ws": " \n x\ty \n",
    "objs": [{"n": "b", "v": 1}, {"n": "A", "v": 2}, {"n": "b", "v": 3}],
    "u8": "h\u00e9\u00e9\U0001f600z",
    "q": "it's",
    "big": 12345678901234567890,
    "nested": [[1, 2], [3, 4]],
    "neg": -7,
}

LINES = Path(__file__).with_name("jinja_expressions.txt").read_text().splitlines()

BLOCKS = """A
  {% if true %}
    a
  {% endif %}
  {{ s }}
\t{# c #}
B {% if t %} x {% endif %} y
{%- for i in [1,2] %}
  {{ i }}
{%- endfor %}

{% for i in [1] -%}
   z
{% endfor %}
"""

SOURCES = [*LINES, BLOCKS, BLOCKS.replace("\n", "\r\n"), "a\n", "a\n\n", "a{% if true %}\n\n{% endif %}\n"]


def case(source):
    try:
        return {"source": source, "text": _compile_jinja_template(source).render(**CONTEXT)}
    except Exception as error:
        return {"source": source, "error": f"{type(error).__name__}: {error}"}


def main():
    out = Path(__file__).parents[2] / "fixtures/jinja/expressions.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps({"context": CONTEXT, "cases": [case(source) for source in SOURCES]}, indent=1) + "\n")


if __name__ == "__main__":
    main()
