import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Backend, CausalLM } from '@ift/tensor'
import { referenceBackend } from '@ift/tensor/reference'
import { openCheckpoint } from '../checkpoint/source.js'
import { initializeWeights, loadWeights } from '../checkpoint/weights.js'
import type { ModelDefinition } from '../contract/model.js'
import { claim } from './claim.js'
import { randomIds } from './random-ids.js'

export interface ModelConformanceOptions {
  /** config.json of a model small enough for float64 arithmetic in TypeScript; golden/config.json when omitted. */
  readonly config?: Readonly<Record<string, unknown>>
  /**
   * Folder with config.json, model.safetensors, and golden.safetensors from the reference implementation: input_ids,
   * cu_seqlens, labels (unshifted), trained_tokens, logits, loss and grad.<parameter> (of the checkpoint's shape).
   */
  readonly golden?: string
  /** Device to run on; the reference backend when omitted. */
  readonly open?: () => Backend
  /** Ids that end a prompt which is read in both directions: they stand in the middle of every sequence. */
  readonly promptEnd?: readonly number[]
  /** Largest difference from golden values, relative to 1 + |value|; 1e-4 when omitted. */
  readonly tolerance?: number
}

/** A model with weights on a device of its own. */
export interface Subject {
  readonly backend: Backend
  readonly model: CausalLM
  // A definition's config type is its own business.
  readonly config: unknown
}

/** Common parts of the cases of a model. */
export class ModelBench {
  readonly tolerance: number

  constructor(
    readonly definition: ModelDefinition,
    readonly options: ModelConformanceOptions,
  ) {
    this.tolerance = options.tolerance ?? 1e-4
  }

  /** config.json of the small model. */
  async json(): Promise<Readonly<Record<string, unknown>>> {
    const { config, golden } = this.options
    if (config !== undefined) return config
    claim(golden !== undefined, 'modelConformance needs a config or a golden folder.')
    return JSON.parse(await readFile(join(golden, 'config.json'), 'utf8')) as Record<string, unknown>
  }

  /** Runs with a model: golden weights when there are any, else random ones. */
  async with(run: (subject: Subject) => Promise<void>, open = this.options.open): Promise<void> {
    const backend = (open ?? referenceBackend)()
    try {
      const config: unknown = this.definition.parseConfig(await this.json())
      const model = this.definition.build(config)
      const { golden } = this.options
      if (golden === undefined) {
        await initializeWeights(model, this.definition, config, { backend, dtype: 'f32', seed: 7 })
      } else {
        const source = await openCheckpoint(weightsOf(golden))
        await loadWeights(model, this.definition, config, source, { backend, dtype: 'f32' })
      }
      await run({ backend, model, config })
      model.release()
    } finally {
      backend.close()
    }
  }

  /** Sequences of different lengths that the positions allow. */
  sequences(config: unknown, lengths = [5, 1, 9, 4]): number[][] {
    const { vocab, maxPositions } = this.definition.shape(config)
    return randomIds(vocab, lengths, { maxPositions, within: this.options.promptEnd ?? [] })
  }

  /** Makes every parameter trainable. */
  train(model: CausalLM): void {
    for (const [, parameter] of model.namedParameters()) parameter.setTrainable(true)
  }

  /** Gradients by path, of the parameters that have one. */
  async gradients(model: CausalLM): Promise<Map<string, Float32Array>> {
    const gradients = new Map<string, Float32Array>()
    for (const [path, { grad }] of model.namedParameters())
      if (grad !== null) gradients.set(path, await grad.read())
    return gradients
  }
}

export const weightsOf = (dir: string): string => join(dir, 'model.safetensors')
