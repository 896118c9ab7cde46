"""Makes fixtures/peft-lora/targets.json: which modules PEFT adapts by a config, and with which rank and alpha.

    python scripts/reference/make_peft_targets.py
"""

import json
from pathlib import Path

from peft import LoraConfig
from peft.tuners.tuners_utils import check_target_module_exists
from peft.utils.other import get_pattern_key

OUT = Path(__file__).parents[2] / 'fixtures' / 'peft-lora' / 'targets.json'

NAMES = [
    'lm_head',
    'model.embed_tokens',
    *(
        f'model.layers.{i}.{name}'
        for i in (0, 1, 11)
        for name in ('self_attn.q_proj', 'self_attn.v_proj', 'mlp.up_proj', 'mlp.experts.1.up_proj', 'input_layernorm')
    ),
    'transformer.h.1.attn.c_attn',
    'h.1.attn.c_attn',
    'blocks.0.attn',
    'model.visual.blocks.1.attn.q_proj',
]

CONFIGS = [
    {'target_modules': ['q_proj']},
    {'target_modules': ['proj']},
    {'target_modules': ['self_attn.q_proj', 'lm_head']},
    {'target_modules': ['model.layers.1.self_attn.q_proj', 'layers.1.mlp.up_proj']},
    {'target_modules': 'q_proj'},
    {'target_modules': r'.*q_proj'},
    {'target_modules': r'model\.layers\.1.*proj'},
    {'target_modules': r'^(?!.*visual).*q_proj$'},
    {'target_modules': ['q_proj', 'up_proj'], 'layers_to_transform': []},
    {'target_modules': ['q_proj', 'up_proj'], 'layers_to_transform': [1]},
    {'target_modules': ['q_proj', 'up_proj'], 'layers_to_transform': 1},
    {'target_modules': ['q_proj', 'up_proj'], 'layers_to_transform': 11},
    {'target_modules': ['q_proj', 'c_attn'], 'layers_to_transform': [0, 1], 'layers_pattern': 'h'},
    {'target_modules': ['q_proj', 'c_attn'], 'layers_to_transform': [1], 'layers_pattern': ['blocks', 'layers']},
    {'target_modules': ['q_proj', 'c_attn'], 'layers_to_transform': [1], 'layers_pattern': []},
    {'target_modules': ['q_proj', 'c_attn'], 'layers_to_transform': [1], 'layers_pattern': ''},
    {'target_modules': ['q_proj', 'up_proj'], 'layers_to_transform': [1], 'layers_pattern': 'experts'},
    {'target_modules': ['q_proj', 'up_proj'], 'layers_to_transform': [1], 'layers_pattern': r'l\w+s'},
    {'target_modules': ['attn', 'c_attn'], 'layers_to_transform': [0, 1]},
    {'target_modules': ['q_proj', 'v_proj'], 'exclude_modules': ['v_proj']},
    {'target_modules': ['q_proj', 'v_proj'], 'exclude_modules': ['layers.1.self_attn.q_proj']},
    {'target_modules': ['q_proj', 'v_proj'], 'exclude_modules': r'.*\.(0|1)\..*'},
    {'target_modules': ['q_proj', 'v_proj'], 'exclude_modules': 'v_proj'},
    {'target_modules': ['q_proj', 'v_proj'], 'exclude_modules': []},
    {'target_modules': ['q_proj', 'lm_head'], 'modules_to_save': ['lm_head']},
    {'target_modules': ['q_proj', 'up_proj'], 'modules_to_save': ['mlp']},
    {'target_modules': ['q_proj', 'up_proj'], 'modules_to_save': ['lp']},
    {'target_modules': ['q_proj', 'up_proj'], 'modules_to_save': ['layers.1']},
    *(
        {'target_modules': r'.*', 'rank_pattern': {key: 4}, 'alpha_pattern': {key: 5}}
        for key in (
            'q_proj',
            'proj',
            '.*proj',
            'layers.1.self_attn.q_proj',
            '^model.layers.1.self_attn.q_proj',
            'model.layers.1.self_attn.q_proj$',
            '1.*',
            r'layers\.\d\..*',
            'q_proj|v_proj',
            '(?P<a>q)_proj',
            'experts.[01].up_proj',
        )
    ),
    {'target_modules': r'.*', 'rank_pattern': {'q_proj': 4, 'self_attn.q_proj': 6}, 'alpha_pattern': {'self_attn.q_proj': 6, 'q_proj': 4}},
]


def row(settings: dict) -> dict:
    config = LoraConfig(r=8, lora_alpha=16, **settings)
    matched = [name for name in NAMES if check_target_module_exists(config, name)]
    ranks = {name: config.rank_pattern.get(get_pattern_key(config.rank_pattern, name), 8) for name in matched}
    alphas = {name: config.alpha_pattern.get(get_pattern_key(config.alpha_pattern, name), 16) for name in matched}
    return {'config': settings, 'matched': [[name, ranks[name], alphas[name]] for name in matched]}


if __name__ == '__main__':
    rows = ',\n    '.join(json.dumps(row(settings)) for settings in CONFIGS)
    OUT.write_text(f'{{\n  "names": {json.dumps(NAMES)},\n  "rows": [\n    {rows}\n  ]\n}}\n')
