import { describe, expect, it } from 'vitest'
import {
  Linear,
  noGrad,
  recomputeModules,
  replaceModules,
  scope,
  type LinearLike,
  type Module,
} from '../index.js'
import { referenceBackend } from '../reference/index.js'
import { Decoder, fill, Lora, packed, sequences, sizes } from './decoder.fixture.js'

describe('modules', () => {
  it('name parameters like the checkpoint and errors by their module', () => {
    const backend = referenceBackend()
    const model = new Decoder(sizes)
    expect([...model.namedParameters()].map(([path]) => path).slice(0, 4)).toEqual([
      'embed_tokens.weight',
      'layers.0.input_layernorm.weight',
      'layers.0.self_attn.q_proj.weight',
      'layers.0.self_attn.k_proj.weight',
    ])
    const run = () => scope(() => noGrad(() => model.call(packed(backend, sequences))))
    expect(run).toThrow(/no weights were loaded into it \(in embed_tokens\)/)
    fill(model, backend)
    model.layers[1]!.mlp.up_proj = new Linear(5, 32)
    fill(model.layers[1]!.mlp.up_proj, backend)
    expect(run).toThrow(/w expected .* \(in layers\.1\.mlp\.up_proj\)/)
    recomputeModules(model, (path) => path === 'layers.1')
    expect(run).toThrow(/\(in layers\.1\.mlp\.up_proj\)/)
  })

  it('are replaced below a Recompute under the same path', () => {
    const model = new Decoder(sizes)
    recomputeModules(model, (path) => path === 'layers.0')
    const wrap = (m: Module) => new Lora(m as unknown as LinearLike, 2, 0)
    expect(replaceModules(model, (path) => path.endsWith('q_proj'), wrap)).toEqual(
      [0, 1, 2].map((i) => `layers.${i}.self_attn.q_proj`),
    )
    expect([...model.namedParameters()].map(([path]) => path)).toContain(
      'layers.0.self_attn.q_proj.lora_A.weight',
    )
  })
})
