import { IftError, type AdapterFiles, type AdapterSource, type PeftUpdate } from '@ift/core'
import { ModuleHandle, modulePrefix, type ModuleParts } from '@ift/core/peft'
import { full, keep, tensor, type Tensor } from '@ift/tensor'
import type { AdaloraOptions } from './options.js'
import { Orthogonality } from './orthogonality.js'
import { createSchedule, keptBy, prunedAt, type Schedule } from './schedule.js'
import { Sensitivity } from './sensitivity.js'
import type { SvdLinear } from './svd-linear.js'

/** What is carried from step to step; made when a run asks for it, because an adapter that is only used needs none. */
interface Training {
  readonly sensitivity: Sensitivity
  /** f32 [singular values of all layers]: 1 for what the last pruning has kept, 0 for the others. */
  readonly kept: Tensor
  /** i32 [1]: steps of the run; 0 before the first. */
  readonly totalSteps: Tensor
}

/** AdaLoRA on one model: the layers, the allocator that prunes their singular values, the penalty, and files with what was kept. */
export class AdaloraHandle extends ModuleHandle<AdaloraOptions, SvdLinear> {
  /** Absent where its weight is 0. */
  readonly penalty?: () => Tensor
  readonly #orthogonality: Orthogonality | null = null
  #training: Training | null = null
  #schedule: Schedule | null = null

  constructor(parts: ModuleParts<AdaloraOptions, SvdLinear>) {
    super(parts)
    const { orthRegWeight } = parts.options
    if (orthRegWeight === 0) return
    const orthogonality = new Orthogonality(parts.context.backend, parts.layers.values(), orthRegWeight)
    this.#orthogonality = orthogonality
    this.penalty = () => orthogonality.penalty()
  }

  /** Measures the sensitivities, prunes when it is time, and holds what was pruned at zero after the last pruning. */
  async afterUpdate({ step, totalSteps, gradientScale }: PeftUpdate): Promise<void> {
    const { backend } = this.parts.context
    const { sensitivity, kept, totalSteps: recorded } = this.#state()
    const schedule = this.#scheduleOf(totalSteps)
    backend.write(recorded.buf, Int32Array.of(totalSteps))
    if (step < schedule.last) sensitivity.update(gradientScale)
    const pruned = prunedAt(schedule, step)
    if (pruned !== null) backend.write(kept.buf, keptBy(await sensitivity.scores(), pruned))
    if (pruned !== null || step > schedule.last) this.#mask(kept)
  }

  state(): Iterable<readonly [name: string, tensor: Tensor]> {
    const { sensitivity, kept, totalSteps } = this.#state()
    return [['kept', kept], ['totalSteps', totalSteps], ...sensitivity.state()]
  }

  /** The adapter with the rows that the last pruning has kept, as PEFT writes it. */
  override async save(): Promise<AdapterFiles> {
    const { layers, context } = this.parts
    const training = this.#training
    const kept = await training?.kept.read()
    let at = 0
    for (const layer of layers.values()) {
      const own = kept?.subarray(at, (at += layer.rank))
      layer.written = own ? [...own].map((mark) => mark > 0) : null
    }
    const [steps = 0] = training ? new Int32Array((await training.totalSteps.readBytes()).slice().buffer) : []
    const files = await super.save()
    const tensors = new Map(files.tensors)
    const empty = new Map<string, readonly number[]>()
    for (const [path, layer] of layers) {
      if (layer.pattern.some(Boolean)) continue
      for (const [name, shape] of emptyShapes(layer)) {
        tensors.delete(`${modulePrefix}${path}.${name}`)
        empty.set(`${modulePrefix}${path}.${name}`, shape)
      }
    }
    const { tinit, tfinal } = this.parts.options
    // PEFT reads no adapter without it; one that was never trained has no run.
    const total_step = steps || context.adapter?.config['total_step'] || tinit + tfinal + 1
    return { ...files, config: { ...files.config, total_step }, tensors, empty }
  }

  override release(): void {
    super.release()
    this.#orthogonality?.release()
    this.#training?.sensitivity.release()
    this.#training?.kept.release()
    this.#training?.totalSteps.release()
    this.#training = null
  }

  #state(): Training {
    const { layers, context, options } = this.parts
    const { backend } = context
    this.#training ??= {
      sensitivity: new Sensitivity(backend, layers, options),
      kept: keep(full(backend, [Math.max(1, this.#singularValues)], 1, 'f32')),
      totalSteps: keep(tensor(backend, [0], [1], 'i32')),
    }
    return this.#training
  }

  get #singularValues(): number {
    let sum = 0
    for (const { rank } of this.parts.layers.values()) sum += rank
    return sum
  }

  #scheduleOf(totalSteps: number): Schedule {
    const { options, layers } = this.parts
    this.#schedule ??= createSchedule(
      options,
      { initial: this.#singularValues, target: options.targetR * layers.size },
      totalSteps,
    )
    return this.#schedule
  }

  /** E ← E where it is kept, 0 elsewhere. */
  #mask(kept: Tensor): void {
    const { backend } = this.parts.context
    let from = 0
    for (const { triplets, rank } of this.parts.layers.values()) {
      if (!triplets) continue
      const { lora_E } = triplets
      const own = kept.rows(from, from + rank)
      from += rank
      backend.mul(lora_E.master.buf, lora_E.master.buf, own.buf, rank, 'f32')
      own.release()
      lora_E.roundFromMaster()
    }
  }
}

/** A file without the tensors of layers that have no singular value left, which hold no elements. */
export function withoutEmpty(source: AdapterSource, layers: ReadonlyMap<string, SvdLinear>): AdapterSource {
  const empty = new Map<string, readonly number[]>()
  for (const [path, layer] of layers)
    if (layer.rank === 0)
      for (const [name, shape] of emptyShapes(layer)) empty.set(`${modulePrefix}${path}.${name}`, shape)
  const names = [...source.names()].filter((name) => {
    const expected = empty.get(name)
    if (!expected) return true
    const found = source.shape(name)
    if (found.join() === expected.join()) return false
    throw new IftError(
      'IFT_ADAPTER_SHAPE',
      `${source.path}: tensor "${name}" should be [${expected.join(', ')}], as rank_pattern says, found [${found.join(', ')}].`,
      'Take both files from where the adapter was made.',
    )
  })
  const { config, path } = source
  return {
    ...{ config, path, names: () => names },
    shape: (name) => source.shape(name),
    read: (name) => source.read(name),
  }
}

const emptyShapes = ({
  inFeatures,
  outFeatures,
}: SvdLinear): readonly (readonly [string, readonly number[]])[] => [
  ['lora_A', [0, inFeatures]],
  ['lora_E', [0, 1]],
  ['lora_B', [outFeatures, 0]],
]
