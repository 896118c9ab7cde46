"""Bytes of peft and of what it requires in the Python that runs this, as JSON: {"version", "packages", "bytes"}.

Nothing else of the environment counts: packages are followed by their requirements for this system, extras among them.
"""

import json
import os
from importlib import metadata

from packaging.requirements import Requirement


def required(name, extras, seen):
    """Adds a distribution and those that it requires, with these extras, to `seen`: names with the extras that were followed."""
    followed = seen.setdefault(name.lower().replace("_", "-"), set())
    for extra in {"", *extras} - followed:
        followed.add(extra)
        for text in metadata.requires(name) or []:
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
                required(requirement.name, requirement.extras, seen)


def size(name):
    files = (file.locate() for file in metadata.files(name) or [])
    return sum(os.path.getsize(file) for file in files if os.path.exists(file))


seen = {}
required("peft", set(), seen)
print(
    json.dumps(
        {
            "version": metadata.version("peft"),
            "packages": len(seen),
            "bytes": sum(size(name) for name in seen),
        }
    )
)
