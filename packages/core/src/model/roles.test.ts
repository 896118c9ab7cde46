import { expect, test } from 'vitest'
import type { ModelDefinition, ModelRoles } from '../contract/model.js'
import { initializeDecoder } from './initialize.js'
import { llamaRoles } from './llama-layout/roles.js'
import { defaultTargets, isNamed, modulesOf } from './roles.js'

const { query: _q, key: _k, value: _v, feedForwardIn: _in, ...others } = llamaRoles
const fused: ModelRoles = { ...others, queryKeyValue: 'qkv', gateUp: 'gate_up' }
const definition = {} as ModelDefinition

test('a fused module plays the roles of its parts, once', () => {
  expect(modulesOf(fused, 'key')).toEqual(['qkv'])
  expect(modulesOf(fused, 'feedForwardIn')).toEqual(['gate_up'])
  expect(modulesOf(llamaRoles, 'feedForwardIn')).toEqual(['gate_proj', 'up_proj'])
  expect(modulesOf(llamaRoles, 'headNorm')).toEqual([])
  const method = { name: 'x', targetRoles: ['query', 'value', 'feedForwardOut'] } as const
  expect(defaultTargets(method, { definition, roles: fused })).toEqual(['qkv', 'down_proj'])
  expect(defaultTargets(method, { definition, roles: llamaRoles })).toEqual(['q_proj', 'v_proj', 'down_proj'])
})

test('an exception of the family comes before the roles of a method, and a method without targets has none', () => {
  const exception = { ...definition, targetRoles: { x: ['key'] as const } }
  const of = (name: string) =>
    defaultTargets({ name, targetRoles: ['value'] }, { definition: exception, roles: llamaRoles })
  expect(of('x')).toEqual(['k_proj'])
  expect(of('y')).toEqual(['v_proj'])
  expect(defaultTargets({ name: 'prompt' }, { definition, roles: llamaRoles })).toEqual([])
})

test('a name is the path or its end behind a dot', () => {
  expect(isNamed('h.0.attn.c_proj', 'attn.c_proj')).toBe(true)
  expect(isNamed('lm_head', 'lm_head')).toBe(true)
  expect(isNamed('h.0.mlp.c_proj', 'attn.c_proj')).toBe(false)
  expect(isNamed('layers.0.input_layernorm', 'norm')).toBe(false)
})

test('weights start by their roles', () => {
  const start = (path: string, normWeight?: number) =>
    initializeDecoder(path, {
      layers: 8,
      roles: llamaRoles,
      ...(normWeight === undefined ? {} : { normWeight }),
    })
  expect(start('model.embed_tokens.weight')).toEqual({ kind: 'normal', std: 0.02 })
  expect(start('model.layers.3.self_attn.q_proj.weight')).toEqual({ kind: 'normal', std: 0.02 })
  expect(start('model.layers.3.self_attn.o_proj.weight')).toEqual({ kind: 'normal', std: 0.005 })
  expect(start('model.layers.3.mlp.down_proj.weight')).toEqual({ kind: 'normal', std: 0.005 })
  expect(start('model.layers.3.mlp.down_proj.bias')).toEqual({ kind: 'constant', value: 0 })
  expect(start('model.norm.weight')).toEqual({ kind: 'constant', value: 1 })
  expect(start('model.norm.weight', 0)).toEqual({ kind: 'constant', value: 0 })
})
