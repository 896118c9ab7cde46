import { IftError, noGrad, quantFormats, recomputeModules, withRandom } from '@ift/tensor'
import { referenceBackend } from '@ift/tensor/reference'
import { ignoredLabel } from '../data/encode.js'
import type { Sample } from '../contract/data.js'
import type { TrainableParameter } from '../contract/peft.js'
import { packSamples } from '../data/pack.js'
import { requireRoom, virtualLength } from '../data/virtual-tokens.js'
import { countMemory } from '../train/count-memory.js'
import { forwardBatch } from '../train/forward.js'
import { adamw } from '../train/optimizer/adamw.js'
import { Optimizer } from '../train/optimizer/optimizer.js'
import { claim, claimClose, claimSame } from './claim.js'
import { claimSlope } from './claim-slope.js'
import { norm, PeftBench, type Attached, type PeftSettings } from './peft-bench.js'
import {
  gradientsOf,
  learned,
  logitsOfIds,
  lossOfIds,
  lossWithGradients,
  zeroGradients,
} from './peft-passes.js'
import { TrainingSteps } from './training-steps.js'

/** Everything that is trained gets a gradient, and nothing else has one. */
export function gradients(bench: PeftBench): Promise<void> {
  return bench.withTrained(async (attached) => {
    const { model, peft } = attached
    await lossOfIds(attached, bench.sequences(attached))
    for (const [name, gradient] of await gradientsOf(attached)) {
      claim(gradient !== null, `${name} is trained, and has no gradient.`)
      claim(gradient.every(Number.isFinite), `The gradient of ${name} is not finite.`)
      claim(
        gradient.some((value) => value !== 0),
        `The gradient of ${name} is 0 everywhere.`,
      )
    }
    const own = new Set([...peft.trainable()].map(({ parameter }) => parameter))
    for (const [path, parameter] of model.namedParameters())
      claim(own.has(parameter) || parameter.grad === null, `${path} is not trained, and has a gradient.`)
  })
}

/** The gradient of all that is trained, along a random direction, is the slope of the loss, in float64. */
export function differences(bench: PeftBench): Promise<void> {
  if (bench.options.wholeGradient === false) return Promise.resolve()
  return bench.withTrained(
    async (attached) => {
      const { backend, peft } = attached
      const samples = bench.sequences(attached).map(learned)
      peft.setTraining(false)
      lossWithGradients(attached, samples).release()
      await claimSlope(
        backend,
        [...peft.trainable()].map(({ parameter }) => parameter),
        () => noGrad(() => lossWithGradients(attached, samples)),
      )
    },
    { open: () => referenceBackend({ exact: true }) },
  )
}

/** Loss of some sequences before and after steps of the trainer's kind, without dropout. */
async function lossesAround(bench: PeftBench, attached: Attached, steps: number): Promise<[number, number]> {
  const { backend, model, peft } = attached
  const sequences = bench.sequences(attached, [9, 6, 8])
  const loss = async () => {
    peft.setTraining(false)
    return noGrad(() => lossOfIds(attached, sequences))
  }
  const before = await loss()
  const training = new TrainingSteps({ backend, model, peft, seed: 3 })
  for (let step = 0; step < steps; step++) {
    peft.setTraining(true)
    await training.backward([sequences.map(learned)])
    await training.update(bench.learningRate)
  }
  training.release()
  return [before, await loss()]
}

function claimLower([before, after]: [number, number], what: string): void {
  claim(Number.isFinite(after) && after < before, `${what}: the loss goes from ${before} to ${after}.`)
}

/** Steps of training lower the loss, from the start of the method. */
export function learning(bench: PeftBench): Promise<void> {
  return bench.with(async (attached) => {
    claimLower(await lossesAround(bench, attached, 4), `4 steps over a base in ${bench.base}`)
  })
}

/** The same on a base in bf16, whose logits are those of f32 but for rounding. */
export async function halfPrecision(bench: PeftBench): Promise<void> {
  const logits = (settings: PeftSettings) =>
    bench.withTrained((attached) => {
      attached.peft.setTraining(false)
      return logitsOfIds(attached, bench.sequences(attached))
    }, settings)
  const [full, half] = [await logits({}), await logits({ base: 'bf16' })]
  const difference = norm(full.map((x, i) => x - half[i]!)) / norm(full)
  claim(difference < 0.1, `logits in bf16 are ${difference} of their size away from those in f32.`)
  await learning(new PeftBench(bench.method, bench.subject, bench.options, 'bf16'))
}

/**
 * A method that takes the head learns on it in bf16, where the loss gives the head an `addTo` in f32; another one refuses it with the
 * reason.
 */
export async function onHead(bench: PeftBench): Promise<void> {
  const { method, subject, options } = bench
  const head = await bench.withBase(({ model }) => {
    const found = [...model.namedModules()].find(([, module]) => module === model.lmHead)
    claim(found !== undefined, 'The head of the model has no path.')
    return Promise.resolve(found[0])
  })
  const onIt = { ...options.options, targetModules: [head] }
  if (!method.options.safeParse(onIt).success) return
  const over = new PeftBench(method, subject, { ...options, options: onIt }, 'bf16')
  if ((await refusal(over)) === null) await learning(over)
}

/** On a base in few bits it learns, or is refused with the reason. */
export async function quantised(bench: PeftBench): Promise<void> {
  for (const format of quantFormats) {
    const over = new PeftBench(bench.method, bench.subject, bench.options, format)
    if ((await refusal(over)) === null) await learning(over)
  }
}

/** Why the method cannot be put onto this base; null where it can. What is thrown otherwise is a fault. */
export function refusal(bench: PeftBench): Promise<string | null> {
  return bench.withBase(async (base) => {
    try {
      const peft = await bench.attach(base)
      try {
        requireRoom(virtualLength(peft), base.shape)
      } finally {
        peft.release()
      }
      return null
    } catch (error) {
      claim(
        error instanceof IftError && /^IFT_PEFT_/.test(error.code),
        `Over a base in ${bench.base}: expected an IFT_PEFT_… error, found ${String(error)}.`,
      )
      return error.message
    }
  })
}

/** Sequences laid end to end do not see each other. */
export function packing(bench: PeftBench): Promise<void> {
  return bench.withTrained(async (attached) => {
    attached.peft.setTraining(false)
    const sequences = bench.sequences(attached)
    const together = await logitsOfIds(attached, sequences)
    let at = 0
    for (const [i, sequence] of sequences.entries()) {
      const alone = await logitsOfIds(attached, [sequence])
      claimClose(`logits of sequence ${i}`, together.subarray(at, at + alone.length), alone, 1e-5)
      at += alone.length
    }
    claim(at === together.length, `${together.length} logits together, ${at} one at a time.`)
  })
}

/** Random numbers are drawn in training only, and only where `stochastic` says so. */
export function randomness(bench: PeftBench): Promise<void> {
  return bench.withTrained(async (attached) => {
    const { peft } = attached
    const sequences = bench.sequences(attached)
    const loss = (training: boolean, seed: number) => {
      peft.setTraining(training)
      return noGrad(() => lossOfIds(attached, sequences, { random: { seed, step: 2, micro: 1 } }))
    }
    const still = await loss(false, 1)
    claimSame('loss without training, with another seed', [await loss(false, 2)], [still])
    const [first, again, other] = [await loss(true, 1), await loss(true, 1), await loss(true, 2)]
    claimSame('loss of training with the same seed', [again], [first])
    if (peft.stochastic === true) claim(first !== other, 'stochastic is true, and no random number is drawn.')
    else {
      claimSame('loss of training with another seed, though stochastic is not true', [other], [first])
      claimSame('loss of training, though stochastic is not true', [first], [still])
    }
    claimSame('loss behind training', [await loss(false, 1)], [still])
  })
}

type Step = { readonly loss: Float32Array; readonly gradients: Map<string, Float32Array | null> }

async function stepOf(attached: Attached, samples: readonly Sample[], share = false): Promise<Step> {
  const loss = lossWithGradients(attached, samples, { share })
  const step = { loss: await loss.read(), gradients: await gradientsOf(attached) }
  loss.release()
  zeroGradients(attached)
  return step
}

/** Samples that begin alike give the same loss and gradients when their beginning is computed once. */
export function sharing(bench: PeftBench): Promise<void> {
  return bench.withTrained(async (attached) => {
    const { peft, shape } = attached
    if (shape.bidirectionalPrompt === true) return
    peft.setTraining(false)
    const [beginning = [], ...ends] = bench.sequences(attached, [9, 2, 4, 3])
    const samples = ends.map((end) => ({
      ids: Int32Array.from([...beginning, ...end]),
      labels: Int32Array.from([...beginning.map(() => ignoredLabel), ...end]),
    }))
    const rows = (share: boolean) => packSamples(samples, share).ids.length
    claim(rows(true) < rows(false), 'Nothing was shared.')
    const [whole, shared] = [await stepOf(attached, samples), await stepOf(attached, samples, true)]
    claimClose('loss', shared.loss, whole.loss, 1e-5)
    for (const [name, gradient] of whole.gradients)
      claimClose(`gradient of ${name}`, shared.gradients.get(name)!, gradient!, 1e-4)
  })
}

/** Layers that run twice give the same gradients, bit for bit, with dropout too. */
export async function recomputing(bench: PeftBench): Promise<void> {
  const step = (recompute: boolean) =>
    bench.withTrained((attached) => {
      const { model, peft } = attached
      if (recompute) {
        const layers = new Set(model.layers)
        recomputeModules(model, (_, module) => layers.has(module))
      }
      peft.setTraining(true)
      return stepOf(attached, bench.sequences(attached).map(learned))
    })
  const [kept, again] = [await step(false), await step(true)]
  claimSame('loss', again.loss, kept.loss)
  for (const [name, gradient] of kept.gradients)
    claimSame(`gradient of ${name}`, again.gradients.get(name)!, gradient!)
}

/**
 * What a plan counts on modules without values is what those with values take: the same parameters are trained, and the bytes held for
 * them and through a forward pass are within 10 %.
 */
export function memory(bench: PeftBench): Promise<void> {
  const optimizer = { definition: adamw, options: adamw.options.parse({}), weightDecay: 0, clipNorm: 1 }
  return bench.withBase(async (base) => {
    const { backend, model } = base
    // Weights that a method changes move from the file, where they are mapped, to memory.
    const bytes = () => backend.memory().allocated + backend.memory().mapped
    const weights = bytes()
    const peft = await bench.attach(base)
    const trainable = [...peft.trainable()]
    const updates = new Optimizer(backend, trainable, optimizer)
    Array.from(peft.state?.() ?? [])
    const training = bytes() - weights
    peft.setTraining(true)
    const lengths = Array.from({ length: 24 }, () => 24)
    const sequences = bench.sequences({ ...base, peft }, lengths).map(learned)
    const batch = packSamples(sequences, false, model.promptOf?.bind(model))
    const held = withRandom({ seed: 0, step: 0, micro: 0 }, () =>
      forwardBatch({ backend, model, peft }, batch, () => bytes() - weights - training),
    )
    const config = await bench.config()
    let named = ''
    const counted = await countMemory({
      ...{ device: backend.device.kind, dtype: bench.dtype, batch, recomputeLayers: 0, optimizer },
      build: () => bench.build(config),
      attach: async (empty, counting) => {
        const unfilled = await bench.attach({ ...base, backend: counting, model: empty })
        const entries = [...unfilled.trainable()]
        named = saidShapes(entries)
        return { peft: unfilled, trainable: entries }
      },
    })
    updates.release()
    peft.release()
    claim(
      named === saidShapes(trainable),
      `Where memory is counted ${named} is trained, otherwise ${saidShapes(trainable)}.`,
    )
    const near = (found: number, expected: number) => Math.abs(found - expected) <= 0.1 * expected
    claim(
      near(counted.training, training),
      `The plan counts ${counted.training} bytes for what is trained and its optimizer, and ${training} are held.`,
    )
    claim(
      near(counted.activations, held),
      `The plan counts ${counted.activations} bytes for the backward pass of ${batch.ids.length} tokens, and ${held} are held.`,
    )
  })
}

const saidShapes = (entries: readonly TrainableParameter[]): string =>
  entries.map(({ name, parameter }) => `${name} [${parameter.shape.join(', ')}]`).join(', ')
