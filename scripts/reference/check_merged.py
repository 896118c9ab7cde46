"""Loads a merged model that ift wrote with transformers, and prints its logits.

    python scripts/reference/check_merged.py FOLDER IDS.json [--golden GOLDEN.safetensors]

IDS.json, the output and --golden are those of check_adapter.py. Exits 1 where a weight is missing, unexpected, or of
another shape than config.json says.
"""

import json
import sys

import torch
from transformers import AutoModelForCausalLM

from check_adapter import logits_of, parse, result, sequences_of


def main() -> None:
    arguments = parse(__doc__, 'folder')
    model, report = AutoModelForCausalLM.from_pretrained(
        arguments.folder, dtype=torch.float32, attn_implementation='eager', output_loading_info=True
    )
    problems = {key: sorted(map(str, value)) for key, value in report.items() if value}
    if problems:
        sys.exit(f'{arguments.folder}: {json.dumps(problems)}')
    output = result(arguments, logits_of(model.eval(), sequences_of(arguments)))
    print(json.dumps({**output, 'parameters': sum(p.numel() for p in model.parameters())}))


if __name__ == '__main__':
    main()
