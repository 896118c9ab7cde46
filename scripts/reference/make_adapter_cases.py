"""Makes fixtures/cases/*/siblings: adapters of PEFT beside the one that each case was found with, and what transformers and PEFT
score with them.

    python scripts/reference/make_adapter_cases.py
"""

import json
import warnings

import torch
from peft import PeftModel, get_peft_model

from make_peft_lora import lora_config, randomise_adapter, save_adapter
from tiny_llama import FIXTURES, load_any, write_json

CASES = {
    '14-tied-embedding-adapter': {
        'head': {'modules_to_save': ['lm_head']},
        'kept': {'modules_to_save': ['embed_tokens'], 'ensure_weight_tying': True},
        'lora-head': {'target_modules': ['lm_head']},
    },
    '15-modules-to-save-suffix': {
        'embed-norm': {'modules_to_save': ['embed', 'norm']},
        'attention': {'modules_to_save': ['attn']},
        'target-too': {'target_modules': ['q_proj', 'k_proj'], 'modules_to_save': ['k_proj']},
        'no-layers': {'layers_to_transform': []},
        'one-layer': {'layers_to_transform': 1},
        'python-pattern': {'target_modules': r'(?i).*\.(?P<which>Q|v)_PROJ\Z'},
        'end-of-name': {'rank_pattern': {'proj': 1, 'v_proj': 3}, 'target_modules': ['q_proj', 'v_proj']},
        'lora-bias': {'lora_bias': True},
    },
}


def scores(model: torch.nn.Module, ids: list[int]) -> list[float]:
    with torch.no_grad():
        logits = model(torch.tensor([ids])).logits[0].log_softmax(-1)
    return [round(logits[i, ids[i + 1]].item(), 5) for i in range(len(ids) - 1)]


if __name__ == '__main__':
    warnings.simplefilter('ignore')
    for case, siblings in CASES.items():
        folder = FIXTURES / 'cases' / case
        ids = json.loads((folder / 'ids.jsonl').read_text())['ids']
        expected = {}
        for seed, (name, settings) in enumerate(siblings.items(), start=100):
            torch.manual_seed(seed)
            settings = {'target_modules': ['q_proj'], 'r': 2, **settings}
            if name == 'attention':
                settings['target_modules'] = ['up_proj']
            model = get_peft_model(load_any(folder / 'base'), lora_config(**settings)).eval()
            randomise_adapter(model, seed)
            out = folder / 'siblings' / name
            save_adapter(model, out)
            expected[name] = scores(PeftModel.from_pretrained(load_any(folder / 'base'), out).eval(), ids)
        write_json(folder / 'siblings' / 'expected.json', expected)
