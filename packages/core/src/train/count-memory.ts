import {
  backward,
  keep,
  ops,
  recomputeModules,
  withRandom,
  zeros,
  type Backend,
  type CausalLM,
  type FloatDType,
  type Tensor,
} from '@ift/tensor'
import { countingBackend } from '@ift/tensor/counting'
import type { PackedBatch } from '../contract/data.js'
import type { PeftHandle, TrainableParameter } from '../contract/index.js'
import { forwardBatch } from './forward.js'
import { Optimizer, type OptimizerSettings } from './optimizer/optimizer.js'
import { addPenalty } from './penalty.js'

/** What is trained on a model. */
export interface Attached {
  /** Null when the model's own parameters are trained. */
  readonly peft: PeftHandle | null
  readonly trainable: readonly TrainableParameter[]
}

/** A run as its memory is counted: the parts of the run itself, made once more without weights. */
export interface CountedRun {
  /** Kind of the device that it is counted for: `DeviceInfo.kind`. */
  readonly device: string
  readonly dtype: FloatDType
  /** The modules of the model, quantised where the run quantises them. */
  build(): CausalLM
  attach(model: CausalLM, backend: Backend): Promise<Attached>
  readonly optimizer: OptimizerSettings
  /** A micro-batch of the size to count for; the ids themselves are not looked at. */
  readonly batch: PackedBatch
  /** Layers, from the first, whose activations are recomputed in the backward pass. */
  readonly recomputeLayers: number
}

/** Bytes of a run, as `Backend.memory` counts them; mapped weights count as much as others. */
export interface CountedMemory {
  readonly weights: number
  /** Values, masters and gradients of what is trained beyond the weights, the state of optimizer and method, what the method holds. */
  readonly training: number
  /** Held between forward and backward pass. */
  readonly activations: number
  /** The most at any time. */
  readonly peak: number
  /** What the device needs for it, whose blocks are somewhat larger than what is asked for. */
  readonly reserved: number
}

/**
 * Counts the memory of a run by one step of it on a device that computes nothing and holds nothing: the family's own modules, the
 * method's own layers and the code that trains. Left out: `afterUpdate`, which looks at values, and what a plugin's hooks
 * allocate.
 */
export const countMemory = (run: CountedRun): Promise<CountedMemory> =>
  memoryOfStep(run, countingBackend(run.device))

/** Runs a step on a backend, with weights that hold nothing in particular, and leaves everything there. */
export async function memoryOfStep(run: CountedRun, backend: Backend): Promise<CountedMemory> {
  const bytes = () => backend.memory().allocated
  const model = run.build()
  for (const [, parameter] of model.namedParameters()) parameter.assign(parameter.blank(backend, run.dtype))
  const weights = bytes()
  const { peft, trainable } = await run.attach(model, backend)
  const optimizer = new Optimizer(backend, trainable, run.optimizer)
  // What a method makes when it is first asked for it is there from the second step on.
  Array.from(peft?.state?.() ?? [])
  const training = bytes() - weights
  const chosen = new Set<unknown>(model.layers.slice(0, run.recomputeLayers))
  recomputeModules(model, (_path, module) => chosen.has(module))
  peft?.setTraining(true)
  const loss = keep(zeros(backend, [1], 'f32'))
  let activations = 0
  withRandom({ seed: 0, step: 0, micro: 0 }, () => {
    forwardBatch({ backend, model, peft }, run.batch, ({ hidden, targets }) => {
      activations = bytes() - weights - training
      const part: Tensor = ops.linearCrossEntropy(hidden, model.lmHead, targets, { gradScale: 1 })
      if (trainable.length > 0) backward(part)
    })
  })
  addPenalty(backend, peft, loss, null)?.release()
  ;(await optimizer.update(0)).release()
  const { peak, reserved } = backend.memory()
  return { weights, training, activations, peak, reserved }
}

/** A micro-batch of one sequence, all of whose tokens are learned, for a model that reads prompts in both directions where it says so. */
export function wholeBatch(tokens: number, bidirectional = false): PackedBatch {
  const targets = new Int32Array(tokens)
  targets[tokens - 1] = -1
  const prompt = tokens >> 1
  return {
    ids: new Int32Array(tokens),
    positions: Int32Array.from({ length: tokens }, (_, i) => i),
    targets,
    lengths: [tokens],
    trainedTokens: tokens - 1,
    ...(bidirectional && { prompts: [{ length: prompt, blank: prompt - 1 }] }),
  }
}
