"""Makes fixtures/generate: what transformers generates from fixtures/llama-tiny, and what its logits processors do.

    python scripts/reference/make_llama.py
    python scripts/reference/make_generate.py

Every generation is also run in float64 and must come out the same, so no case hangs on float32 rounding.
"""

import sys

import torch
from transformers import GenerationConfig
from transformers.generation.logits_process import (
    LogitsProcessorList,
    MinNewTokensLengthLogitsProcessor,
    NoRepeatNGramLogitsProcessor,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from tiny_llama import FIXTURES, load_model, write_json

PROMPTS = [[1, 17, 91, 42], [1, 5], [1, 140, 33, 33, 140, 33, 33, 77, 12, 9]]

GREEDY = {
    'greedy': {},
    'repetition-penalty': {'repetition_penalty': 1.8},
    'repetition-penalty-ngram-6': {'repetition_penalty': 1.8, 'no_repeat_ngram_size': 6},
    'ngram-2': {'no_repeat_ngram_size': 2},
    'ngram-1': {'no_repeat_ngram_size': 1},
}
BEAMS = {
    'beam-4': {},
    'beam-2-penalty-ngram-2': {'num_beams': 2, 'repetition_penalty': 1.3, 'no_repeat_ngram_size': 2},
    'beam-4-ngram-2': {'no_repeat_ngram_size': 2},
    'beam-4-ngram-6-penalty': {'no_repeat_ngram_size': 6, 'repetition_penalty': 1.8},
}


def run(models: dict, prompt: list[int], eos: int | None, settings: dict) -> dict:
    """Generated ids (without the prompt; eos included where it was generated) of float32, agreed by float64."""
    results = {}
    for dtype, model in models.items():
        config = GenerationConfig(
            do_sample=False,
            bos_token_id=1,
            eos_token_id=eos,
            pad_token_id=0,
            return_dict_in_generate=True,
            output_scores=True,
            **settings,
        )
        out = model.generate(
            torch.tensor([prompt]), attention_mask=torch.ones(1, len(prompt), dtype=torch.long), generation_config=config
        )
        rows = []
        for i, row in enumerate(out.sequences.tolist()):
            ids = row[len(prompt) :]
            if eos in ids:
                ids = ids[: ids.index(eos) + 1]
            result = {'ids': ids}
            if settings.get('num_beams', 1) > 1:
                result['score'] = out.sequences_scores[i].item()
            rows.append(result)
        results[dtype] = rows
    single, double = results['float32'], results['float64']
    if [r['ids'] for r in single] != [r['ids'] for r in double]:
        sys.exit(f'float32 and float64 disagree: {prompt} {settings}')
    return {'prompt': prompt, 'eos': eos, 'settings': settings, 'outputs': single}


def make_greedy(models: dict) -> list[dict]:
    cases = []
    for name, settings in GREEDY.items():
        for prompt in PROMPTS:
            cases.append({'name': name, **run(models, prompt, None, {'max_new_tokens': 24, **settings})})
    for prompt in PROMPTS:
        free = run(models, prompt, None, {'max_new_tokens': 24})['outputs'][0]['ids']
        eos = free[5]
        for name, settings in {
            'eos': {},
            'eos-min-new-tokens': {'min_new_tokens': 12},
            'eos-min-new-tokens-penalty': {'min_new_tokens': 12, 'repetition_penalty': 1.8, 'no_repeat_ngram_size': 3},
        }.items():
            cases.append({'name': name, **run(models, prompt, eos, {'max_new_tokens': 24, **settings})})
    return cases


def make_beams(models: dict) -> list[dict]:
    """All beams are returned, best first. The eos of a case is a token that its free beams generate often."""
    cases = []
    for name, changes in BEAMS.items():
        for prompt in PROMPTS:
            settings = {'max_new_tokens': 16, 'num_beams': 4, **changes}
            settings['num_return_sequences'] = settings['num_beams']
            cases.append({'name': name, **run(models, prompt, None, settings)})
    for prompt in PROMPTS:
        base = {'max_new_tokens': 16, 'num_beams': 4, 'num_return_sequences': 4}
        free = run(models, prompt, None, base)['outputs']
        tail = [i for output in free for i in output['ids'][3:]]
        eos = max(sorted(set(tail)), key=tail.count)
        for early_stopping in (False, True):
            for length_penalty in (1.0, 0.0, 2.0, -1.0):
                settings = {**base, 'early_stopping': early_stopping, 'length_penalty': length_penalty}
                cases.append({'name': 'beam-4-eos', **run(models, prompt, eos, settings)})
        settings = {**base, 'min_new_tokens': 8}
        cases.append({'name': 'beam-4-eos-min-new-tokens', **run(models, prompt, eos, settings)})
        settings = {**base, 'no_repeat_ngram_size': 2, 'repetition_penalty': 1.3}
        cases.append({'name': 'beam-4-eos-ngram-2-penalty', **run(models, prompt, eos, settings)})
    return cases


def make_processors() -> dict:
    """Logits before and after; null stands for -infinity. Output row i belongs to logits row i."""
    generator = torch.Generator().manual_seed(80)
    vocab, prompt_tokens, eos = 24, 4, 2
    ids = [3, 7, 7, 3, 9, 3, 7, 11, 9, 3, 7]
    rows = 2.5 * torch.randn(4, vocab, generator=generator)
    rows[1] -= 4  # mostly negative, where the repetition penalty multiplies
    rows[3, 5:9] = rows[3].max()  # ties, left out where top-p would choose among them by sort order
    chains = {
        'temperature-0.3': [TemperatureLogitsWarper(0.3)],
        'temperature-1.7': [TemperatureLogitsWarper(1.7)],
        'top-k-1': [TopKLogitsWarper(1)],
        'top-k-5': [TopKLogitsWarper(5)],
        'top-k-100': [TopKLogitsWarper(100)],
        'top-p-0.05': [TopPLogitsWarper(0.05)],
        'top-p-0.5': [TopPLogitsWarper(0.5)],
        'top-p-0.95': [TopPLogitsWarper(0.95)],
        'repetition-penalty-1.8': [RepetitionPenaltyLogitsProcessor(1.8)],
        'repetition-penalty-0.7': [RepetitionPenaltyLogitsProcessor(0.7)],
        'no-repeat-ngram-1': [NoRepeatNGramLogitsProcessor(1)],
        'no-repeat-ngram-2': [NoRepeatNGramLogitsProcessor(2)],
        'no-repeat-ngram-3': [NoRepeatNGramLogitsProcessor(3)],
        'no-repeat-ngram-6': [NoRepeatNGramLogitsProcessor(6)],
        'min-new-tokens-7': [MinNewTokensLengthLogitsProcessor(prompt_tokens, 7, eos)],
        'min-new-tokens-8': [MinNewTokensLengthLogitsProcessor(prompt_tokens, 8, eos)],
        # The order in which generate applies them.
        'chain': [
            RepetitionPenaltyLogitsProcessor(1.8),
            NoRepeatNGramLogitsProcessor(2),
            MinNewTokensLengthLogitsProcessor(prompt_tokens, 8, eos),
            TemperatureLogitsWarper(0.7),
            TopKLogitsWarper(8),
            TopPLogitsWarper(0.75),
        ],
    }
    cases = []
    for name, processors in chains.items():
        used = rows[:3] if any(isinstance(p, TopPLogitsWarper) for p in processors) else rows
        processed = LogitsProcessorList(processors)(torch.tensor([ids] * len(used)), used.clone())
        output = [[None if x == float('-inf') else x for x in row] for row in processed.tolist()]
        cases.append({'name': name, 'output': output})
    return {'ids': ids, 'prompt_tokens': prompt_tokens, 'eos': eos, 'logits': rows.tolist(), 'cases': cases}


if __name__ == '__main__':
    folder = FIXTURES / 'llama-tiny'
    models = {'float32': load_model(folder), 'float64': load_model(folder, torch.float64)}
    for model in models.values():
        model.generation_config = GenerationConfig()
    write_json(FIXTURES / 'generate' / 'greedy.json', make_greedy(models))
    write_json(FIXTURES / 'generate' / 'beams.json', make_beams(models))
    write_json(FIXTURES / 'generate' / 'processors.json', make_processors())
