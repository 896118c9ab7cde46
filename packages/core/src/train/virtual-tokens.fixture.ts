// Methods that put fixed, trained virtual tokens in front of every sequence, on tiny models; and the same model with nothing but
// ordinary passes over one sequence at a time.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { loadWeights, openCheckpoint, type ModelDefinition } from '@ift/core'
import { bloom } from '@ift/model-bloom'
import { chatglm } from '@ift/model-chatglm'
import { gemma3 } from '@ift/model-gemma'
import { llama } from '@ift/model-llama'
import {
  forwardInput,
  noGrad,
  ops,
  Parameter,
  random,
  scope,
  segments,
  tensor,
  zeros,
  type Backend,
  type CausalLM,
  type FloatDType,
  type ForwardInput,
  type KeysAndValues,
  type KvSource,
  type Tensor,
} from '@ift/tensor'
import type { ModelShape, PeftHandle, PeftPrefix } from '../contract/index.js'

const fixture = (path: string) => fileURLToPath(new URL(`../../../../fixtures/${path}`, import.meta.url))

/** One of every way to tell positions: rotary, linear biases, rotary in half of a head, in both directions, sliding windows. */
export const families: readonly (readonly [name: string, definition: ModelDefinition, folder: string])[] = [
  ['LLaMA', llama, 'llama-tiny'],
  ['BLOOM', bloom, 'bloom/tiny'],
  ['ChatGLM2', chatglm, 'chatglm/chatglm2'],
  ['ChatGLM', chatglm, 'chatglm/chatglm1'],
  ['Gemma 3', gemma3, 'gemma/gemma3'],
]

/** `positionsFromZero`: keys and values that move nothing behind them. */
export const kinds = ['rows', 'keys and values', 'keys and values, positions from zero'] as const
export type Kind = (typeof kinds)[number]

export interface Tiny {
  readonly backend: Backend
  readonly model: CausalLM
  readonly shape: ModelShape
  readonly peft: PeftHandle
  readonly prefix: PeftPrefix
  /** By name; all are trained. */
  readonly parameters: ReadonlyMap<string, Parameter>
  release(): void
}

/** A tiny model with `length` virtual tokens in front. */
export async function openTiny(
  backend: Backend,
  definition: ModelDefinition,
  folder: string,
  kind: Kind,
  { length = 5, dtype = 'f32' }: { readonly length?: number; readonly dtype?: FloatDType } = {},
): Promise<Tiny> {
  const json = JSON.parse(readFileSync(fixture(`${folder}/config.json`), 'utf8')) as Record<string, unknown>
  const config: unknown = definition.parseConfig(json)
  const model = definition.build(config)
  await loadWeights(model, definition, config, await openCheckpoint(fixture(folder)), { backend, dtype })
  const shape = definition.shape(config)
  const parameters = new Map<string, Parameter>()
  const add = (name: string, size: readonly number[]) => {
    const parameter = new Parameter(size)
    const start = random(backend, size, 'normal', { seed: 3, stream: parameters.size }, dtype)
    parameter.assign(start)
    parameter.setTrainable(true)
    parameters.set(name, parameter)
    return parameter
  }
  let prefix: PeftPrefix
  if (kind === 'rows') {
    const table = add('rows', [length, shape.hidden])
    prefix = { length, rows: () => table.value }
  } else {
    const size = [length, shape.kvHeads, shape.headDim]
    const layers = Array.from({ length: shape.layers }, (_, i) => [add(`k${i}`, size), add(`v${i}`, size)])
    prefix = {
      length,
      keysAndValues: () => layers.map(([k, v]) => ({ k: k!.value, v: v!.value })),
      ...(kind === 'keys and values' ? {} : { positionsFromZero: true }),
    }
  }
  const peft: PeftHandle = {
    prefix,
    trainable: () =>
      [...parameters].map(([name, parameter]) => ({ name, parameter, lrScale: 1, decay: true })),
    save: () => Promise.reject(new Error('not saved')),
    load: () => Promise.reject(new Error('not loaded')),
    merge: null,
    setTraining: () => undefined,
    setEnabled: () => undefined,
    release() {
      for (const parameter of parameters.values()) parameter.release()
    },
  }
  return {
    ...{ backend, model, shape, peft, prefix, parameters },
    release() {
      peft.release()
      model.release()
    },
  }
}

/** The keys of one sequence behind those that are given. */
class Behind implements KvSource {
  constructor(
    readonly rows: number,
    readonly layers: readonly KeysAndValues[],
  ) {}

  attend(layer: number, q: Tensor, k: Tensor, v: Tensor, options: Parameters<KvSource['attend']>[4]): Tensor {
    const { k: gk, v: gv } = this.layers[layer]!
    return ops.attention(q, ops.concatRows([gk, k]), ops.concatRows([gv, v]), {
      ...options,
      q: segments(q.backend, [this.rows]),
      k: segments(q.backend, [this.rows + gk.dim(0)]),
    })
  }
}

/**
 * The input of one sequence, written out: a row for every virtual and every real token, or real tokens over given keys. `output`
 * counts real tokens; -1 is the last virtual row.
 */
export function plainInput(tiny: Tiny, ids: readonly number[], output?: readonly number[]): ForwardInput {
  const { backend, model, prefix } = tiny
  const { length } = prefix
  const n = ids.length
  const ints = (values: readonly number[]) => tensor(backend, values, [values.length], 'i32')
  const span = model.promptOf?.(ids)
  if ('rows' in prefix) {
    const embeds = ops.concatRows([prefix.rows(), model.embeddings.call(ints(ids))])
    return forwardInput(backend, {
      embeds,
      lengths: [length + n],
      outputRows: (output ?? [...ids.keys()]).map((i) => i + length),
      prompts: span && [{ length: span.length + length, blank: span.blank + length }],
    })
  }
  const shift = prefix.positionsFromZero === true ? 0 : length
  const visible = span && length + span.length
  return {
    ids: ints(ids),
    segments: segments(backend, [n]),
    positions: ints([...ids.keys()].map((i) => i + shift)),
    maxPosition: n + shift,
    kv: new Behind(n, prefix.keysAndValues()),
    outputRows: ints(output ?? [...ids.keys()]),
    prompts:
      span &&
      ({
        visiblePrefix: ints([visible!]),
        positions: ints([...ids.keys()].map((i) => shift + (i < span.length ? i : span.blank))),
        blockPositions: ints([...ids.keys()].map((i) => shift + (i < span.length ? 0 : i - span.length + 1))),
      } as const),
  }
}

/** Logits of every real token, and of the last virtual row where `output` asks: [rows][vocab]. */
export async function plainLogits(
  tiny: Tiny,
  ids: readonly number[],
  output?: readonly number[],
): Promise<Float32Array[]> {
  const { backend, model, shape } = tiny
  const rows = output?.length ?? ids.length
  const all = await scope(() =>
    noGrad(() =>
      model.lmHead
        .call(model.call(plainInput(tiny, ids, output)), zeros(backend, [rows, shape.vocab], 'f32'))
        .read(),
    ),
  )
  return Array.from({ length: rows }, (_, i) => all.slice(i * shape.vocab, (i + 1) * shape.vocab))
}

/** Real tokens with what marks a prompt that is read in both directions, for ChatGLM. */
export const textOf = (
  { model, shape }: Pick<Tiny, 'model' | 'shape'>,
  prompt: readonly number[],
  answer: readonly number[] = [],
): number[] => [
  ...prompt.map((id) => id % Math.min(40, shape.vocab)),
  ...(model.promptOf ? [41, 44] : []),
  ...answer.map((id) => id % Math.min(40, shape.vocab)),
]
