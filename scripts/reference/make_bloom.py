"""Makes fixtures/bloom: tiny BLOOM models with logits, loss and gradients, a tokenizer, greedy generations, a LoRA adapter.

    python scripts/reference/make_bloom.py
"""

import sys
from pathlib import Path

import torch
from peft import get_peft_model
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import BloomConfig, BloomForCausalLM, GenerationConfig
from transformers.models.bloom.modeling_bloom import build_alibi_tensor

from make_peft_lora import adapter_gradients, lora_config, randomise_adapter, save_adapter
from tiny_llama import FIXTURES, golden, gradients, random_sequences, write_json, write_tensors

OUT = FIXTURES / 'bloom'

COMMON = {
    'architectures': ['BloomForCausalLM'],
    'model_type': 'bloom',
    'apply_residual_connection_post_layernorm': False,
    'attention_dropout': 0.0,
    'hidden_dropout': 0.0,
    'bos_token_id': 1,
    'eos_token_id': 2,
    'pad_token_id': 3,
    'unk_token_id': 0,
    'initializer_range': 0.02,
    'layer_norm_epsilon': 1e-5,
}

VARIANTS = {
    # The spelling of most published configs.
    'tiny': {'n_embed': 16, 'n_layer': 2, 'num_attention_heads': 4, 'n_inner': None, 'vocab_size': 320},
    # Not a power of two; another spelling.
    'heads-6': {'hidden_size': 24, 'num_hidden_layers': 1, 'n_head': 6, 'vocab_size': 48, 'layer_norm_epsilon': 1e-3},
    'post-layernorm': {
        'hidden_size': 12,
        'n_layer': 2,
        'n_head': 3,
        'vocab_size': 40,
        'apply_residual_connection_post_layernorm': True,
        'tie_word_embeddings': False,
    },
}

LINES = [
    'the teacher writes a short story, the robot answers every question.',
    'Instruction: write a number. Response: the number is 12.',
    'the old river carries three numbers; the program counts the numbers',
    '老师写了一个故事。机器人数了三个苹果。请解释这个问题。',
    'naïve café, Straße, мир и дом, x = f(y) + 1',
]

TEXTS = [
    '',
    'the teacher writes a short story',
    '  leading and trailing  ',
    'tab\tand\nnewline\r\n',
    '老师写了三个苹果。机器人 and robot 混合',
    'naïve café Straße мир',
    '😀 emoji 👩‍👩‍👧‍👦 𠮷野家',
    "x = f(y) + 12345, don't",
    'Human: 你好，世界。\n\nAssistant: fine (really)! [1, 2]…',
    '।۔، | a|b (c)',
]

SPECIAL_TEXTS = ['<s>the end</s> <pad>', 'Human: 1\n\nAssistant: 2</s>', 'a <unk>b']

HEADS = [1, 2, 3, 4, 5, 6, 8, 12, 16, 20, 32, 40, 64, 71, 112]


def randomise(model: BloomForCausalLM, seed: int) -> None:
    """Embeddings and an own head N(0, 0.4), the rest N(0, 0.2), norm weights around 1."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if 'layernorm.weight' in name or 'ln_f.weight' in name:
                parameter.copy_(1 + 0.1 * noise)
            else:
                parameter.copy_((0.4 if 'word_embeddings.' in name or 'lm_head' in name else 0.2) * noise)


def load(folder: Path, dtype: torch.dtype = torch.float32) -> BloomForCausalLM:
    return BloomForCausalLM.from_pretrained(folder, dtype=dtype, attn_implementation='eager').eval()


def make(name: str, config: dict, seed: int) -> None:
    folder = OUT / name
    write_json(folder / 'config.json', config)
    model = BloomForCausalLM(BloomConfig.from_pretrained(folder))
    randomise(model, seed)
    tensors = dict(model.named_parameters())
    if name == 'tiny':
        # As saved from the model without its head.
        tensors = {key.removeprefix('transformer.'): tensor for key, tensor in tensors.items()}
    write_tensors(folder / 'model.safetensors', tensors)
    model = load(folder)
    assert model.config.hidden_size == config.get('n_embed', config.get('hidden_size'))
    assert model.config.n_head == config.get('num_attention_heads', config.get('n_head'))
    # The second sequence is trained from its first token, whose label must not count.
    sequences = random_sequences(seed + 1, [11, 7, 19], config['vocab_size'], [4, 0, 9])
    values = golden(model, sequences)
    write_tensors(folder / 'golden.safetensors', {**values, **gradients(model)})


def make_bin() -> None:
    """The weights of heads-6 in two .bin files."""
    folder = OUT / 'heads-6-bin'
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {name: p.detach().clone() for name, p in load(OUT / 'heads-6').named_parameters()}
    names = list(tensors)
    halves = [names[: len(names) // 2], names[len(names) // 2 :]]
    weight_map = {}
    for index, half in enumerate(halves, start=1):
        file = f'pytorch_model-{index:05}-of-00002.bin'
        torch.save({name: tensors[name] for name in half}, folder / file)
        weight_map |= {name: file for name in half}
    size = sum(tensor.numel() * 4 for tensor in tensors.values())
    write_json(folder / 'pytorch_model.bin.index.json', {'metadata': {'total_size': size}, 'weight_map': weight_map})


def make_tokenizer() -> None:
    """Byte-level BPE with BLOOM's own way of splitting texts, and its special tokens."""
    tokenizer = Tokenizer(models.BPE())
    split = Regex(' ?[^(\\s|[.,!?…。，、।۔،])]+')
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(split, behavior='isolated', invert=False),
        pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=True, use_regex=False),
    ])
    tokenizer.post_processor = processors.ByteLevel(add_prefix_space=True, trim_offsets=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel(add_prefix_space=True, trim_offsets=True, use_regex=False)
    trainer = trainers.BpeTrainer(
        vocab_size=316,
        show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=['<unk>', '<s>', '</s>', '<pad>'],
    )
    tokenizer.train_from_iterator(LINES, trainer)
    folder = OUT / 'tiny'
    tokenizer.save(str(folder / 'tokenizer.json'), pretty=False)
    names = {'unk_token': '<unk>', 'bos_token': '<s>', 'eos_token': '</s>', 'pad_token': '<pad>'}
    write_json(folder / 'special_tokens_map.json', names)
    write_json(
        folder / 'tokenizer_config.json',
        {**names, 'add_prefix_space': False, 'tokenizer_class': 'BloomTokenizerFast', 'padding_side': 'left'},
    )
    encoded = lambda texts: [{'text': text, 'ids': tokenizer.encode(text).ids} for text in texts]
    write_json(folder / 'tokenizer-golden.json', {'cases': encoded(TEXTS), 'specials': encoded(SPECIAL_TEXTS)})


def make_alibi() -> None:
    mask = torch.ones(1, 2)
    slopes = {}
    for heads in HEADS:
        bias = build_alibi_tensor(mask, heads, torch.float32).reshape(heads, 2)
        slopes[str(heads)] = (bias[:, 1] - bias[:, 0]).tolist()
    write_json(OUT / 'alibi.json', {'slopes': slopes})


def make_greedy() -> None:
    """Generated ids after each prompt, the same in float32 and float64."""
    cases = []
    for name, prompts in {
        'tiny': [[1, 17, 91, 42], [5], [1, 240, 33, 33, 140, 33, 33, 77, 12, 9]],
        'heads-6': [[1, 17, 41, 42], [1, 5]],
        'post-layernorm': [[1, 17, 31, 22], [9]],
    }.items():
        for prompt in prompts:
            found = []
            for dtype in (torch.float32, torch.float64):
                settings = GenerationConfig(do_sample=False, max_new_tokens=24, eos_token_id=None, pad_token_id=3)
                ids = torch.tensor([prompt])
                out = load(OUT / name, dtype).generate(ids, attention_mask=torch.ones_like(ids), generation_config=settings)
                found.append(out[0, len(prompt) :].tolist())
            if found[0] != found[1]:
                sys.exit(f'float32 and float64 disagree: {name} {prompt}')
            cases.append({'model': name, 'prompt': prompt, 'ids': found[0]})
    write_json(OUT / 'greedy.json', {'cases': cases})


def make_lora() -> None:
    """An adapter of PEFT on its own default targets for BLOOM, on heads-6."""
    folder = OUT / 'lora'
    torch.manual_seed(70)
    model = get_peft_model(load(OUT / 'heads-6'), lora_config(r=2)).eval()
    randomise_adapter(model, 70)
    save_adapter(model, folder)
    values = golden(model, random_sequences(71, [9, 15, 6], 48, [3, 6, 1]))
    write_tensors(folder / 'golden.safetensors', {**values, **adapter_gradients(model)})


if __name__ == '__main__':
    for seed, (name, changes) in enumerate(VARIANTS.items()):
        make(name, {**COMMON, **changes}, 500 + 10 * seed)
    make_bin()
    make_tokenizer()
    make_alibi()
    make_greedy()
    make_lora()
