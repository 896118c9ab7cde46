"""LLaMA's and Gemma 3's forward pass in float64, from the float32 weights of a model of transformers.

transformers' own modules compute norms, softmax and rotations in float32 whatever the type of the weights, so that its results in float64 are
no more exact than in float32. Here nothing is rounded but the weights.
"""

import torch


def rotations(length: int, dim: int, theta: float) -> tuple[torch.Tensor, torch.Tensor]:
    frequencies = theta ** (-torch.arange(0, dim, 2, dtype=torch.float64) / dim)
    angles = torch.arange(length, dtype=torch.float64)[:, None] * frequencies
    angles = torch.cat([angles, angles], -1)
    return angles.cos(), angles.sin()


def turn(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    first, second = x.chunk(2, -1)
    return x * cos + torch.cat([-second, first], -1) * sin


@torch.no_grad()
def exact_logits(model: torch.nn.Module, ids: list[int]) -> torch.Tensor:
    """Logits [len(ids), vocab] of a LlamaForCausalLM or Gemma3ForCausalLM without rope scaling, as float64."""
    config = model.config
    gemma = config.model_type.startswith('gemma3')
    assert gemma or config.model_type == 'llama', config.model_type
    # One layer at a time: the whole in float64 would be as large as the model again.
    weights = model.state_dict()

    def weight(name: str) -> torch.Tensor:
        return weights[f'model.{name}.weight'].double()

    def norm(x: torch.Tensor, name: str) -> torch.Tensor:
        w = weight(name)
        return x * (x.square().mean(-1, keepdim=True) + config.rms_norm_eps).rsqrt() * (1 + w if gemma else w)

    length, dim = len(ids), config.head_dim
    groups = config.num_attention_heads // config.num_key_value_heads
    scale = (config.query_pre_attn_scalar if gemma else dim) ** -0.5
    parameters = config.rope_parameters
    causal = torch.full((length, length), -torch.inf, dtype=torch.float64).triu(1)
    x = weight('embed_tokens')[ids]
    if gemma:
        assert length <= config.sliding_window
        x = x * config.hidden_size**0.5

    for i in range(config.num_hidden_layers):
        layer = f'layers.{i}.'
        own = parameters[config.layer_types[i]] if gemma else parameters
        assert own.get('rope_type', 'default') == 'default', own
        cos, sin = rotations(length, dim, own['rope_theta'])
        h = norm(x, layer + 'input_layernorm')
        q, k, v = (
            (h @ weight(f'{layer}self_attn.{part}_proj').T).reshape(length, -1, dim).transpose(0, 1) for part in 'qkv'
        )
        if gemma:
            q, k = norm(q, layer + 'self_attn.q_norm'), norm(k, layer + 'self_attn.k_norm')
        q, k = turn(q, cos, sin), turn(k, cos, sin)
        k, v = k.repeat_interleave(groups, 0), v.repeat_interleave(groups, 0)
        attended = (q @ k.transpose(1, 2) * scale + causal).softmax(-1) @ v
        attended = attended.transpose(0, 1).reshape(length, -1) @ weight(layer + 'self_attn.o_proj').T
        x = x + (norm(attended, layer + 'post_attention_layernorm') if gemma else attended)
        h = norm(x, layer + ('pre_feedforward_layernorm' if gemma else 'post_attention_layernorm'))
        gate, up = h @ weight(layer + 'mlp.gate_proj').T, h @ weight(layer + 'mlp.up_proj').T
        gate = torch.nn.functional.gelu(gate, approximate='tanh') if gemma else torch.nn.functional.silu(gate)
        fed = (gate * up) @ weight(layer + 'mlp.down_proj').T
        x = x + (norm(fed, layer + 'post_feedforward_layernorm') if gemma else fed)
    head = weights.get('lm_head.weight', weights['model.embed_tokens.weight']).double()
    return norm(x, 'norm') @ head.T
