import { freemem } from 'node:os'
import type { Backend, CausalLM } from '@ift/tensor'
import type { ResolvedConfig } from '../config/schema.js'
import { createPacker, type PackerOptions } from '../data/pack.js'
import { virtualRows } from '../data/virtual-tokens.js'
import type { PackedBatch } from '../contract/data.js'
import type { PluginSession } from '../plugin/plugin-session.js'
import { countMemory, wholeBatch, type CountedMemory } from '../train/count-memory.js'
import type { ChosenOptimizer } from '../train/optimizer/optimizer.js'
import { plan, type Plan } from '../train/plan.js'
import type { MemorySettings, RemedyInput } from '../train/remedies.js'
import { attachUnloaded } from './attach-method.js'
import type { RunData } from './run-data.js'
import { buildModel, type OpenModel } from './open-model.js'

/** Share of a device's own memory that buffers can have: the rest is the driver's and what lies between them. */
const usable = 0.94

/** Bytes that a run may use; null when unknown. */
export const budget = (config: ResolvedConfig, open: OpenModel): number | null => {
  if (config.train.memory !== undefined) return config.train.memory * 2 ** 30
  const { memory } = open.backend.device
  if (memory !== undefined) return memory * usable
  // Other ranks of this machine may take as much.
  const share = open.backend.comm?.worldSize ?? 1
  return open.backend.device.kind === 'cpu'
    ? (freemem() * 0.9) / share + open.backend.memory().allocated
    : null
}

/** Tokens of a micro-batch, virtual rows included: the option, or the longest sample, which is never cut; the option while that is not known. */
export const microBatchTokens = (
  { train }: ResolvedConfig,
  { peft, model }: Pick<OpenModel, 'peft' | 'model'>,
  { longest, fillings }: RunData,
): number =>
  fillings.length > 0
    ? train.microBatchTokens
    : Math.max(train.microBatchTokens, longest + (virtualRows(peft, model)?.rows ?? 0))

/** An opened run, as far as its memory depends on it. */
export interface PlannedRun {
  readonly session: PluginSession
  readonly open: OpenModel
  readonly data: RunData
  readonly packing: PackerOptions
  readonly optimizer: ChosenOptimizer
  /** Optimiser steps of the run. */
  readonly steps: number
}

/** Counts the memory of an opened run, under its own settings or others, each time by a step that computes nothing and holds nothing. */
export function memoryOf(run: PlannedRun): RemedyInput {
  const { open, data, packing } = run
  const maxLength = data.limit.tokens + data.limit.virtual
  const settings: MemorySettings = {
    recomputeLayers: 0,
    microBatchTokens: packing.microBatchTokens,
    maxLength,
    dtype: open.dtype,
    quantize: open.quantize,
    method: open.peft ? 'attached' : 'none',
  }
  const batches = new Map<string, PackedBatch>()
  const batchOf = (changed: MemorySettings) => {
    const key = `${changed.maxLength} ${changed.microBatchTokens}`
    const batch = batches.get(key) ?? largestBatch(run, settings, changed)
    batches.set(key, batch)
    return batch
  }
  return {
    layers: open.model.layers.length,
    settings,
    count: (changed) => countRun(run, settings, changed, batchOf(changed)),
  }
}

/** The largest micro-batch of the run, or what takes its place under other settings. */
function largestBatch(
  { open, data, packing, steps }: PlannedRun,
  own: MemorySettings,
  { microBatchTokens, maxLength }: MemorySettings,
): PackedBatch {
  // Shorter samples than the data's would be made of other texts.
  const found =
    maxLength < own.maxLength || data.train.isFilling
      ? null
      : createPacker(data.train, { ...packing, microBatchTokens }).fullest(steps)
  const rows = data.byRows ? Math.max(microBatchTokens, maxLength) : microBatchTokens
  return found ?? wholeBatch(rows, open.shape.bidirectionalPrompt)
}

function countRun(
  { session, open, optimizer }: PlannedRun,
  own: MemorySettings,
  { recomputeLayers, dtype, quantize, method }: MemorySettings,
  batch: PackedBatch,
): Promise<CountedMemory> {
  const { definition, shape, tokenizer, name: baseModel } = open
  const { weightDecay, clipNorm, seed } = open.config.train
  const parsed: unknown = definition.parseConfig(open.json)
  const same = method === own.method
  const config = same ? open.config : { ...open.config, peft: { method } }
  const roles = definition.roles(parsed)
  return countMemory({
    device: open.backend.device.kind,
    dtype,
    build: () => buildModel(definition, parsed, { quantize, blocks: open.blocks }),
    attach: (model: CausalLM, backend: Backend) =>
      attachUnloaded(session, config, same ? open.adapterDir : null, model, {
        ...{ definition, shape, roles, backend, dtype, seed, baseModel, tokenizer },
      }),
    optimizer: { ...optimizer, weightDecay, clipNorm },
    batch,
    recomputeLayers,
  })
}

/** Plan of the memory of the run and of the layers to recompute. */
export const planTraining = (
  config: ResolvedConfig,
  open: OpenModel,
  { layers, settings, count }: RemedyInput,
): Promise<Plan> => {
  const withLayers = (recomputeLayers: number) => count({ ...settings, recomputeLayers })
  return plan({ layers, budget: budget(config, open), count: withLayers }, config.train.recompute)
}
