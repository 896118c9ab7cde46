import { keep, Parameter, tensor, type Backend, type FloatDType } from '@ift/tensor'
import { referenceBackend } from '@ift/tensor/reference'
import type { OptimizerDefinition, TrainableParameter } from '../contract/index.js'
import type { IftPlugin } from '../plugin/define.js'
import { PluginSession } from '../plugin/plugin-session.js'
import { Optimizer } from '../train/optimizer/optimizer.js'
import { stateBytes } from '../train/trainable-chunk.js'
import { claim, claimClose, claimSame } from './claim.js'
import type { ConformanceCase } from './dataset.js'

export interface OptimizerConformanceOptions {
  /** Options as a config writes them; those that have no default must be here. */
  readonly options?: Readonly<Record<string, unknown>>
  /** Opens the device to try it on; the reference backend when absent. */
  readonly backend?: () => Backend | Promise<Backend>
  /** A rate at which it learns; 0.01 when absent. */
  readonly learningRate?: number
}

/** The definitions that a plugin registers. */
export function optimizersOf(plugin: IftPlugin): OptimizerDefinition[] {
  const { optimizer } = new PluginSession(process.cwd()).use(plugin).hooks
  return optimizer.names().map((name) => optimizer.find(name)!)
}

/** A parameter to try: two have decay, one learns faster. */
interface Member {
  readonly name: string
  readonly shape: readonly number[]
  readonly lrScale: number
  readonly decay: boolean
}

const members: readonly Member[] = [
  { name: 'matrix', shape: [3, 40], lrScale: 1, decay: true },
  { name: 'row', shape: [1, 65], lrScale: 1, decay: true },
  { name: 'vector', shape: [12], lrScale: 1, decay: false },
  { name: 'single', shape: [1], lrScale: 1, decay: false },
  { name: 'fast', shape: [4, 8], lrScale: 4, decay: true },
]

const elements = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1)
/** Deterministic values around 0, none of them 0. */
const values = (n: number, seed: number) =>
  Float32Array.from({ length: n }, (_, i) => Math.sin(1.7 * i + 2.3 * seed + 0.4) || 0.5)
const seedOf = (name: string) => members.findIndex((member) => member.name === name)

type Values = ReadonlyMap<string, Float32Array>
/** The gradient of a parameter, or null to give it none. */
type Gradient = (name: string, n: number, step: number) => Float32Array | null

const varied: Gradient = (name, n, step) => values(n, seedOf(name) + 31 * step).map((v) => v / (1 + step))
const zero: Gradient = (_name, n) => new Float32Array(n)

interface Settings {
  readonly weightDecay?: number
  readonly clipNorm?: number
  readonly dtype?: FloatDType
  readonly members?: readonly Member[]
  /** What it keeps, where a case asks for less than it does. */
  readonly definition?: OptimizerDefinition
}

/** An optimizer on a few parameters. */
class Trial {
  readonly optimizer: Optimizer
  readonly parameters: readonly TrainableParameter[]
  #steps = 0

  constructor(
    readonly backend: Backend,
    definition: OptimizerDefinition,
    options: unknown,
    { weightDecay = 0, clipNorm = 0, dtype = 'f32', members: of = members }: Settings,
  ) {
    this.parameters = of.map(({ name, shape, lrScale, decay }) => {
      const parameter = new Parameter(shape)
      parameter.assign(keep(tensor(backend, values(elements(shape), seedOf(name)), [...shape], dtype)))
      parameter.setTrainable(true)
      return { name, parameter, lrScale, decay }
    })
    this.optimizer = new Optimizer(backend, this.parameters, { definition, options, weightDecay, clipNorm })
  }

  /** One step; returns the squared norm of the gradient. */
  async step(rate: number, gradient: Gradient = varied): Promise<number> {
    for (const { name, parameter } of this.parameters) {
      const given = gradient(name, parameter.value.size, this.#steps)
      if (given) this.backend.write(parameter.gradient().buf, given)
    }
    this.#steps++
    const norm = await this.optimizer.update(rate)
    try {
      return (await norm.read())[0]!
    } finally {
      norm.release()
    }
  }

  async masters(): Promise<Values> {
    const found = new Map<string, Float32Array>()
    for (const { name, parameter } of this.parameters) found.set(name, await parameter.master.read())
    return found
  }

  async state(): Promise<Values> {
    const found = new Map<string, Float32Array>()
    for (const [name, state] of this.optimizer.state()) found.set(name, await state.read())
    return found
  }

  /** Goes on from what another one held after as many steps as it had taken. */
  restore(masters: Values, state: Values, steps: number): void {
    for (const { name, parameter } of this.parameters) {
      this.backend.write(parameter.master.buf, masters.get(name)!)
      parameter.roundFromMaster()
    }
    for (const [name, target] of this.optimizer.state()) this.backend.write(target.buf, state.get(name)!)
    this.#steps = this.optimizer.step = steps
  }

  release(): void {
    this.optimizer.release()
    for (const { parameter } of this.parameters) parameter.release()
  }
}

const claimAllSame = (what: string, found: Values, expected: Values) => {
  claim([...found.keys()].join() === [...expected.keys()].join(), `${what}: not the same tensors.`)
  for (const [name, bits] of expected) claimSame(`${what}, ${name}`, found.get(name)!, bits)
}

/**
 * What every optimizer must keep, as cases to run: `for (const { name, run } of optimizerConformance(…)) test(name, run)`.
 */
export function optimizerConformance(
  definition: OptimizerDefinition,
  {
    options: written = {},
    backend: open = referenceBackend,
    learningRate = 0.01,
  }: OptimizerConformanceOptions = {},
): ConformanceCase[] {
  const parsed = () => {
    const result = definition.options.safeParse(written)
    claim(result.success, `the options ${JSON.stringify(written)} are refused: ${result.error?.message}`)
    return result.data as unknown
  }
  const named = (
    name: string,
    run: (start: (settings?: Settings) => Trial, backend: Backend) => Promise<void>,
  ) => ({
    name: `${definition.name}: ${name}`,
    run: async () => {
      const backend = await open()
      const trials: Trial[] = []
      try {
        await run((settings = {}) => {
          const trial = new Trial(backend, settings.definition ?? definition, parsed(), settings)
          trials.push(trial)
          return trial
        }, backend)
        for (const trial of trials) trial.release()
        const { buffers } = backend.memory()
        claim(buffers === 0, `${buffers} buffers are left.`)
      } finally {
        backend.close()
      }
    },
  })
  /** Some steps, and what they lead to. */
  const follow = async (trial: Trial, steps: number, rate = learningRate, gradient = varied) => {
    for (let step = 0; step < steps; step++) await trial.step(rate, gradient)
    return trial.masters()
  }

  return [
    named('it has a name, options with defaults, and state of whole sizes', () => {
      claim(/^[a-z][\w-]*$/.test(definition.name), `"${definition.name}" is no name for a config.`)
      const options = parsed()
      for (const { shape } of members)
        for (const [name, of] of Object.entries(definition.state(shape, options))) {
          claim(/^[A-Za-z]\w*$/.test(name), `state "${name}": a name of letters and digits is expected.`)
          claim(
            of.length > 0 && of.every((size) => Number.isInteger(size) && size > 0),
            `state "${name}" of a parameter [${shape.join(', ')}] is [${of.join(', ')}].`,
          )
        }
      return Promise.resolve()
    }),
    named('it descends', async (start) => {
      const trial = start()
      const distance = async () => {
        let sum = 0
        for (const of of (await trial.masters()).values()) for (const value of of) sum += value * value
        return sum
      }
      const before = await distance()
      for (let step = 0; step < 60; step++) {
        // The gradient of half the squared distance from 0.
        const now = await trial.masters()
        await trial.step(learningRate, (name) => now.get(name)!)
      }
      const after = await distance()
      claim(
        after < 0.9 * before,
        `after 60 steps the squared distance to the minimum is ${after}, from ${before}.`,
      )
    }),
    named('the same steps give the same bits', async (start) => {
      const [one, other] = [
        start({ weightDecay: 0.1, clipNorm: 1 }),
        start({ weightDecay: 0.1, clipNorm: 1 }),
      ]
      claimAllSame('two runs', await follow(one, 4), await follow(other, 4))
      claimAllSame('the state of two runs', await one.state(), await other.state())
    }),
    named('state that is saved and restored goes on with the same bits', async (start) => {
      const settings = { weightDecay: 0.1, clipNorm: 1 }
      const [whole, first, second] = [start(settings), start(settings), start(settings)]
      const expected = await follow(whole, 6)
      second.restore(await follow(first, 3), await first.state(), 3)
      claimAllSame('a resumed run', await follow(second, 3), expected)
      claimAllSame('the state of a resumed run', await second.state(), await whole.state())
    }),
    named('a clipped gradient is the gradient times the factor', async (start) => {
      const [clipped, scaled] = [start({ clipNorm: 0.5 }), start()]
      for (let step = 0; step < 3; step++) {
        const norm = Math.sqrt(await clipped.step(learningRate))
        claim(norm > 0.5, 'the gradient of the test is too small to be clipped.')
        await scaled.step(learningRate, (...of) => varied(...of)!.map((v) => (v * 0.5) / (norm + 1e-6)))
      }
      const expected = await scaled.masters()
      for (const [name, found] of await clipped.masters())
        claimClose(`clipped, ${name}`, found, expected.get(name)!, 1e-5)
    }),
    named('weight decay makes parameters smaller, and only those that have it', async (start) => {
      const [decayed, kept] = [start({ weightDecay: 0.5 }), start()]
      const [found, expected] = [await follow(decayed, 1, 0.1, zero), await follow(kept, 1, 0.1, zero)]
      for (const { name, decay } of members) {
        const [one, other] = [found.get(name)!, expected.get(name)!]
        if (!decay) claimSame(`${name}, which is exempt`, one, other)
        else
          claim(
            one.every((value, i) => Math.abs(value) < Math.abs(other[i]!)),
            `${name}: with decay an element is not smaller than without.`,
          )
      }
    }),
    named('lrScale is a factor of the rate', async (start) => {
      const [fast] = members.filter(({ lrScale }) => lrScale !== 1)
      const scaled = start({ members: [fast!] })
      const plain = start({ members: [{ ...fast!, lrScale: 1 }] })
      claimAllSame(
        `a rate with lrScale ${fast!.lrScale}`,
        await follow(scaled, 3),
        await follow(plain, 3, fast!.lrScale * learningRate),
      )
    }),
    named('a rate of 0 moves nothing', async (start) => {
      for (const dtype of ['f32', 'bf16'] as const) {
        const trial = start({ weightDecay: 0.1, dtype })
        await trial.step(learningRate)
        const before = await trial.masters()
        claimAllSame(`rate 0, ${dtype}`, await follow(trial, 2, 0), before)
      }
    }),
    named('values in 16 bits are the rounded masters', async (start) => {
      for (const dtype of ['bf16', 'f16'] as const) {
        const trial = start({ dtype, weightDecay: 0.1 })
        await follow(trial, 2)
        for (const { name, parameter } of trial.parameters) {
          const found = await parameter.value.read()
          parameter.roundFromMaster()
          claimSame(`${name} in ${dtype}`, found, await parameter.value.read())
        }
      }
    }),
    named('a parameter without a gradient stays, and so does its state', async (start) => {
      const trial = start({ weightDecay: 0.1 })
      await trial.step(learningRate)
      const [masters, state] = [await trial.masters(), await trial.state()]
      await trial.step(learningRate, (name, ...of) => (name === 'row' ? null : varied(name, ...of)))
      claimSame('row', (await trial.masters()).get('row')!, masters.get('row')!)
      for (const [name, found] of await trial.state())
        if (name.endsWith('.row')) claimSame(name, found, state.get(name)!)
      const moved = (await trial.masters()).get('matrix')!
      claim(
        moved.some((value, i) => value !== masters.get('matrix')![i]),
        'matrix, which has a gradient, has not moved.',
      )
    }),
    named('gradients of 0 give numbers', async (start) => {
      for (const before of [0, 2]) {
        const trial = start({ weightDecay: 0.1, clipNorm: 1 })
        await follow(trial, before)
        const masters = await follow(trial, 3, learningRate, zero)
        for (const [name, found] of [...masters, ...(await trial.state())])
          claim(
            found.every((value) => Number.isFinite(value)),
            `${name} is not finite after ${before} steps and three of gradients of 0.`,
          )
      }
    }),
    named('a gradient that is not finite changes nothing', async (start) => {
      for (const bad of [NaN, Infinity, -Infinity])
        for (const clipNorm of [0, 1]) {
          const trial = start({ weightDecay: 0.1, clipNorm })
          const masters = await follow(trial, 2)
          const state = await trial.state()
          await trial.step(learningRate, (name, ...of) => {
            const gradient = varied(name, ...of)!
            if (name === 'row') gradient[7] = bad
            return gradient
          })
          claimAllSame(`a gradient with ${bad}`, await trial.masters(), masters)
          claimAllSame(`a gradient with ${bad}`, await trial.state(), state)
          // A gradient that was dropped must not be in the next one.
          const next = await follow(trial, 1)
          claim(
            [...next.values()].every((of) => of.every((value) => Number.isFinite(value))),
            `the step behind a gradient with ${bad} is not finite.`,
          )
        }
    }),
    named('what lies between parameters stays 0', async (start) => {
      const trial = start({ weightDecay: 0.1 })
      await follow(trial, 3)
      const count = (of: Float32Array) => of.reduce((sum, value) => sum + Number(value !== 0), 0)
      for (const chunk of trial.optimizer.chunks) {
        let parts = 0
        for (const { parameter } of chunk.parameters) {
          parts += count(await parameter.master.read())
          parameter.gradient()
        }
        for (const span of chunk.spans({ learningRate, weightDecay: 0 })) {
          claim(count(await span.values.read()) === parts, 'something was written between two parameters.')
          for (const tensor of [span.values, span.gradients, ...Object.values(span.state)]) tensor.release()
        }
      }
    }),
    named('its memory is what its state says', (start, backend) => {
      const held = (settings: Settings) => {
        const before = backend.memory().allocated
        start(settings)
        return backend.memory().allocated - before
      }
      const without = held({ definition: { ...definition, state: () => ({}) } })
      const options = parsed()
      const said = stateBytes(
        members.map(({ shape }) => shape),
        (shape) => definition.state(shape, options),
      )
      const found = held({}) - without
      claim(found === said, `state of ${said} bytes is planned, and ${found} bytes are held.`)
      return Promise.resolve()
    }),
  ]
}
