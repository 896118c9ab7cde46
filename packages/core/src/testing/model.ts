import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  Linear,
  noGrad,
  PackedKv,
  PagedKvCache,
  recomputeModules,
  scope,
  segments,
  tensor,
  type Backend,
  type CausalLM,
  type KvSource,
} from '@ift/tensor'
import { referenceBackend } from '@ift/tensor/reference'
import { assertNoLeaks } from '@ift/tensor/testing'
import { fromTensor, openSafetensors, writeSafetensors } from '../checkpoint/safetensors.js'
import { openCheckpoint } from '../checkpoint/source.js'
import { WeightSource } from '../checkpoint/weight-source.js'
import { readStored, readValues, type StoredTensor } from '../checkpoint/stored.js'
import { initializeWeights, loadWeights } from '../checkpoint/weights.js'
import type { ModelDefinition } from '../plugin/contract/model.js'
import type { IftPlugin } from '../plugin/define.js'
import { PluginSession } from '../plugin/session.js'
import { claim, claimClose, claimSame } from './claim.js'
import type { ConformanceCase } from './dataset.js'
import { logitsOf, lossAndGradients, lossOf, packed, type Ids } from './forward.js'

export interface ModelConformanceOptions {
  /** config.json of a model small enough for float64 arithmetic in TypeScript; golden/config.json when omitted. */
  readonly config?: Readonly<Record<string, unknown>>
  /**
   * Folder with config.json, model.safetensors, and golden.safetensors from the reference implementation: input_ids,
   * cu_seqlens, labels (unshifted), trained_tokens, logits, loss and grad.<parameter>.
   */
  readonly golden?: string
  /** Device to run on; the reference backend when omitted. */
  readonly open?: () => Backend
  /** Largest difference from golden values, relative to 1 + |value|; 1e-4 when omitted. */
  readonly tolerance?: number
}

/** The definitions that a plugin registers. */
export function modelsOf(plugin: IftPlugin): ModelDefinition[] {
  const session = new PluginSession(process.cwd()).use(plugin)
  return session.hooks.model.names().map((name) => session.hooks.model.find(name)!)
}

/** What every model family must keep, as cases to run: `for (const { name, run } of modelConformance(…)) test(name, run)`. */
export function modelConformance(
  subject: IftPlugin | ModelDefinition,
  options: ModelConformanceOptions,
): ConformanceCase[] {
  const definitions = 'apply' in subject ? modelsOf(subject) : [subject]
  return definitions.flatMap((definition) => new Kit(definition, options).cases())
}

/** A model with weights on a device of its own. */
interface Subject {
  readonly backend: Backend
  readonly model: CausalLM
  // A definition's config type is its own business.
  readonly config: unknown
}

interface Golden {
  readonly sequences: readonly Ids[]
  readonly labels: readonly Ids[]
  readonly trained: number
  values(name: string): Promise<Float32Array>
  readonly tensors: ReadonlyMap<string, StoredTensor>
}

class Kit {
  readonly #definition: ModelDefinition
  readonly #options: ModelConformanceOptions
  readonly #tolerance: number

  constructor(definition: ModelDefinition, options: ModelConformanceOptions) {
    this.#definition = definition
    this.#options = options
    this.#tolerance = options.tolerance ?? 1e-4
  }

  cases(): ConformanceCase[] {
    const named = (name: string, run: () => Promise<void>): ConformanceCase => ({
      name: `${this.#definition.name}: ${name}`,
      run,
    })
    const { golden } = this.#options
    return [
      named('a config builds modules and nothing else', () => this.#builds()),
      named('parameters have the names of checkpoints', () => this.#names()),
      named('every parameter has a start', () => this.#starts()),
      named('shape() is what attention sees', () => this.#shapes()),
      named('default target modules are linear layers', () => this.#targets()),
      named('gradients agree with finite differences', () => this.#differences()),
      named('packed sequences equal one at a time', () => this.#packing()),
      named('wanted rows equal the same rows of all', () => this.#rows()),
      named('embedded ids equal ids', () => this.#embeds()),
      named('decoding with a cache equals one forward pass', () => this.#decoding()),
      named('recomputed gradients equal kept ones bit for bit', () => this.#recomputing()),
      named('no buffer outlives a pass, a step or an error', () => this.#leaks()),
      named('what is saved loads to the same values', () => this.#saving()),
      named('missing, left over and misshapen tensors are named', () => this.#refusals()),
      ...(golden === undefined
        ? []
        : [
            named('logits and loss equal the golden ones', () => this.#goldenLogits(golden)),
            named('gradients equal the golden ones', () => this.#goldenGradients(golden)),
          ]),
    ]
  }

  async #json(): Promise<Readonly<Record<string, unknown>>> {
    const { config, golden } = this.#options
    if (config !== undefined) return config
    claim(golden !== undefined, 'modelConformance needs a config or a golden folder.')
    return JSON.parse(await readFile(join(golden, 'config.json'), 'utf8')) as Record<string, unknown>
  }

  /** Runs with a model: golden weights when there are any, else random ones. */
  async #with(run: (subject: Subject) => Promise<void>, open = this.#options.open): Promise<void> {
    const backend = (open ?? referenceBackend)()
    try {
      const config: unknown = this.#definition.parseConfig(await this.#json())
      const model = this.#definition.build(config)
      const { golden } = this.#options
      if (golden === undefined) {
        await initializeWeights(model, this.#definition, config, { backend, dtype: 'f32', seed: 7 })
      } else {
        const source = await openCheckpoint(weightsOf(golden))
        await loadWeights(model, this.#definition, config, source, { backend, dtype: 'f32' })
      }
      await run({ backend, model, config })
      model.release()
    } finally {
      backend.close()
    }
  }

  /** Sequences of different lengths that the positions allow. */
  #sequences(config: unknown, lengths = [5, 1, 9, 4]): number[][] {
    const { vocab, maxPositions } = this.#definition.shape(config)
    let state = 11
    return lengths.map((length) =>
      Array.from({ length: Math.min(length, maxPositions ?? length) }, () => {
        state = (Math.imul(state, 1103515245) + 12345) >>> 0
        return Math.floor((state / 2 ** 32) * vocab)
      }),
    )
  }

  #train(model: CausalLM): void {
    for (const [, parameter] of model.namedParameters()) parameter.setTrainable(true)
  }

  async #gradients(model: CausalLM): Promise<Map<string, Float32Array>> {
    const gradients = new Map<string, Float32Array>()
    for (const [path, { grad }] of model.namedParameters())
      if (grad !== null) gradients.set(path, await grad.read())
    return gradients
  }

  async #builds(): Promise<void> {
    const config: unknown = this.#definition.parseConfig(await this.#json())
    const model = this.#definition.build(config)
    const paths = [...model.namedParameters()].map(([path]) => path)
    claim(paths.length > 0, 'The model has no parameters.')
    claim(new Set(paths).size === paths.length, 'A parameter path appears twice.')
    for (const [path, parameter] of model.namedParameters())
      claim(!parameter.isAssigned, `${path} has storage before anything was loaded.`)
    const { hidden, layers, vocab } = this.#definition.shape(config)
    claim(
      model.layers.length === layers,
      `shape().layers is ${layers}, the model has ${model.layers.length}.`,
    )
    claim(
      model.lmHead.outFeatures === vocab,
      `shape().vocab is ${vocab}, the head gives ${model.lmHead.outFeatures}.`,
    )
    claim(
      model.lmHead.inFeatures === hidden,
      `shape().hidden is ${hidden}, the head takes ${model.lmHead.inFeatures}.`,
    )
  }

  async #names(): Promise<void> {
    const config: unknown = this.#definition.parseConfig(await this.#json())
    const paths = [...this.#definition.build(config).namedParameters()].map(([path]) => path)
    const place = (name: string) => this.#definition.mapWeight?.(name, config) ?? name
    const { golden } = this.#options
    const names = golden === undefined ? paths : [...(await openCheckpoint(weightsOf(golden))).names()]
    const placed = new Set(names.map(place))
    for (const path of paths)
      claim(placed.has(path), `Parameter ${path} is the place of no tensor in the checkpoint.`)
    for (const path of placed)
      claim(paths.includes(path), `The tensor for ${path} has no place in the model.`)
    // A model saved by ift has the paths for names.
    for (const path of paths)
      claim(place(path) === path, `mapWeight(${path}) is ${place(path)}: paths must map to themselves.`)
  }

  async #starts(): Promise<void> {
    const config: unknown = this.#definition.parseConfig(await this.#json())
    const started = async (seed: number) => {
      const backend = referenceBackend()
      const model = this.#definition.build(config)
      await initializeWeights(model, this.#definition, config, { backend, dtype: 'f32', seed })
      const values = new Map<string, Float32Array>()
      for (const [path, { value }] of model.namedParameters()) values.set(path, await value.read())
      backend.close()
      return values
    }
    const [first, again, other] = [await started(1), await started(1), await started(2)]
    let differs = false
    for (const [path, values] of first) {
      claimSame(`start of ${path}`, again.get(path)!, values)
      claim(values.every(Number.isFinite), `${path} starts with a value that is not finite.`)
      differs ||= values.some((v, i) => v !== other.get(path)![i])
    }
    claim(differs, 'Another seed gives the same start.')
  }

  #shapes(): Promise<void> {
    return this.#with(async ({ backend, model, config }) => {
      const shape = this.#definition.shape(config)
      const sequences = this.#sequences(config)
      const rows = sequences.reduce((n, s) => n + s.length, 0)
      const seen: number[] = []
      await logitsOf(model, () => {
        const all = segments(
          backend,
          sequences.map((s) => s.length),
        )
        const inner = new PackedKv(all)
        const spy: KvSource = {
          attend(layer, q, k, v, attention) {
            seen.push(layer)
            const { heads, kvHeads, headDim } = shape
            const expected = {
              q: [rows, heads, headDim],
              k: [rows, kvHeads, headDim],
              v: [rows, kvHeads, headDim],
            }
            for (const [name, t] of Object.entries({ q, k, v })) {
              const want = expected[name as 'q'].join(', ')
              claim(
                t.shape.join(', ') === want,
                `${name} of layer ${layer} is [${t.shape.join(', ')}], shape() says [${want}].`,
              )
            }
            return inner.attend(layer, q, k, v, attention)
          },
        }
        return packed(backend, sequences, spy)
      })
      const expected = Array.from({ length: shape.layers }, (_, i) => i)
      claim(
        seen.join() === expected.join(),
        `Layers attended in the order ${seen.join()}, expected ${expected.join()}.`,
      )
    })
  }

  async #targets(): Promise<void> {
    const config: unknown = this.#definition.parseConfig(await this.#json())
    const modules = [...this.#definition.build(config).namedModules()]
    for (const [method, targets] of Object.entries(this.#definition.targetModules)) {
      claim(targets.length > 0, `targetModules.${method} is empty.`)
      for (const target of targets) {
        const matching = modules.filter(([path]) => path === target || path.endsWith(`.${target}`))
        claim(matching.length > 0, `targetModules.${method}: no module is named ${target}.`)
        for (const [path, module] of matching)
          claim(module instanceof Linear, `targetModules.${method}: ${path} is not a linear layer.`)
      }
    }
  }

  #differences(): Promise<void> {
    return this.#with(
      async ({ backend, model, config }) => {
        const sequences = this.#sequences(config)
        this.#train(model)
        const trained = sequences.reduce((n, s) => n + Math.max(0, s.length - 1), 0)
        await lossAndGradients(backend, model, sequences, sequences, 1 / trained)
        // Along one random direction through all parameters; in float64, so that the step can be small.
        let state = 5
        let slope = 0
        const moves: { path: string; original: Float64Array; direction: Float64Array }[] = []
        const at = new Map(model.namedParameters())
        for (const [path, parameter] of at) {
          const { grad, value } = parameter
          const original = new Float64Array(value.size)
          await backend.read(value.buf, original)
          const gradient = new Float64Array(value.size)
          if (grad !== null) await backend.read(grad.buf, gradient)
          const direction = gradient.map((g) => {
            state = (Math.imul(state, 1103515245) + 12345) >>> 0
            const d = state / 2 ** 31 - 1
            slope += g * d
            return d
          })
          moves.push({ path, original, direction })
        }
        const lossAt = async (step: number): Promise<number> => {
          for (const { path, original, direction } of moves)
            backend.write(
              at.get(path)!.value.buf,
              original.map((w, i) => w + step * direction[i]!),
            )
          const total = new Float64Array(1)
          await scope(() =>
            noGrad(() => backend.read(lossOf(backend, model, sequences, sequences, 1 / trained).buf, total)),
          )
          return total[0]!
        }
        const h = 1e-5
        const numeric = ((await lossAt(h)) - (await lossAt(-h))) / (2 * h)
        claimClose('slope of the loss along a random direction', [slope], [numeric], 1e-5)
      },
      () => referenceBackend({ exact: true }),
    )
  }

  #packing(): Promise<void> {
    return this.#with(async ({ backend, model, config }) => {
      const sequences = this.#sequences(config)
      const together = await logitsOf(model, () => packed(backend, sequences))
      let start = 0
      for (const [i, sequence] of sequences.entries()) {
        const alone = await logitsOf(model, () => packed(backend, [sequence]))
        claimClose(`logits of sequence ${i}`, together.subarray(start, start + alone.length), alone, 1e-5)
        start += alone.length
      }
    })
  }

  #rows(): Promise<void> {
    return this.#with(async ({ backend, model, config }) => {
      const sequences = this.#sequences(config)
      const { vocab } = this.#definition.shape(config)
      const wanted = [3, 0, 7]
      const all = await logitsOf(model, () => packed(backend, sequences))
      const some = await logitsOf(model, () => ({
        ...packed(backend, sequences),
        outputRows: tensor(backend, wanted, [wanted.length], 'i32'),
      }))
      for (const [i, row] of wanted.entries()) {
        const expected = all.subarray(row * vocab, (row + 1) * vocab)
        claimClose(`logits of row ${row}`, some.subarray(i * vocab, (i + 1) * vocab), expected, 1e-5)
      }
    })
  }

  #embeds(): Promise<void> {
    return this.#with(async ({ backend, model, config }) => {
      const sequences = this.#sequences(config)
      const expected = await logitsOf(model, () => packed(backend, sequences))
      const found = await logitsOf(model, () => {
        const { ids, ...rest } = packed(backend, sequences)
        return { ...rest, embeds: model.embeddings.call(ids!) }
      })
      claimSame('logits from embeddings', found, expected)
    })
  }

  #decoding(): Promise<void> {
    return this.#with(async ({ backend, model, config }) => {
      const { layers, kvHeads, headDim, vocab } = this.#definition.shape(config)
      const sequences = this.#sequences(config, [6, 4, 7])
      const cache = new PagedKvCache(backend, {
        layers,
        kvHeads,
        headDim,
        dtype: 'f32',
        pageSize: 4,
        pages: 2,
      })
      const ids = sequences.map(() => cache.add())
      const done = sequences.map(() => 0)
      const found = sequences.map((s) => new Float32Array(s.length * vocab))
      // A prompt of two tokens, then one token of every sequence that still has one.
      for (let turn = 0; done.some((n, i) => n < sequences[i]!.length); turn++) {
        const live = sequences.map((s, i) => ({ s, i })).filter(({ s, i }) => done[i]! < s.length)
        const rows = live.map(({ s, i }) => Math.min(turn === 0 ? 2 : 1, s.length - done[i]!))
        const logits = await logitsOf(model, () => {
          const step = cache.step(live.map(({ i }, n) => [ids[i]!, rows[n]!] as const))
          const next = live.flatMap(({ s, i }, n) => s.slice(done[i], done[i]! + rows[n]!))
          return {
            ids: tensor(backend, next, [next.length], 'i32'),
            positions: step.positions,
            segments: step.segments,
            kv: step,
            maxPosition: step.maxPosition,
          }
        })
        let at = 0
        for (const [n, { i }] of live.entries()) {
          found[i]!.set(logits.subarray(at * vocab, (at + rows[n]!) * vocab), done[i]! * vocab)
          at += rows[n]!
          done[i]! += rows[n]!
        }
      }
      for (const [i, sequence] of sequences.entries()) {
        const expected = await logitsOf(model, () => packed(backend, [sequence]))
        claimClose(`logits of sequence ${i}, decoded`, found[i]!, expected, 1e-5)
      }
      cache.release()
    })
  }

  async #recomputing(): Promise<void> {
    const gradients = (recompute: boolean) => {
      let found = new Map<string, Float32Array>()
      return this.#with(async ({ backend, model, config }) => {
        const sequences = this.#sequences(config)
        this.#train(model)
        if (recompute) {
          const layers = new Set(model.layers)
          const wrapped = recomputeModules(model, (_, module) => layers.has(module))
          claim(
            wrapped.length === layers.size,
            `${wrapped.length} of ${layers.size} layers can be recomputed.`,
          )
        }
        await lossAndGradients(backend, model, sequences, sequences, 0.125)
        found = await this.#gradients(model)
      }).then(() => found)
    }
    const [kept, again] = [await gradients(false), await gradients(true)]
    claim(
      kept.size > 0 && kept.size === again.size,
      `${again.size} of ${kept.size} parameters have gradients.`,
    )
    for (const [path, gradient] of kept) claimSame(`gradient of ${path}`, again.get(path)!, gradient)
  }

  #leaks(): Promise<void> {
    return this.#with(async ({ backend, model, config }) => {
      const sequences = this.#sequences(config)
      const check = assertNoLeaks(backend)
      await logitsOf(model, () => packed(backend, sequences))
      check()
      for (const [, parameter] of model.namedParameters()) parameter.setTrainable(true)
      const checkStep = assertNoLeaks(backend)
      await lossAndGradients(backend, model, sequences, sequences, 1)
      for (const [, parameter] of model.namedParameters()) parameter.zeroGrad()
      checkStep()
      for (const [, parameter] of model.namedParameters()) parameter.setTrainable(false)
      const checkError = assertNoLeaks(backend)
      let failed = false
      const failing: KvSource = {
        attend() {
          failed = true
          throw new Error('attention fails')
        },
      }
      try {
        await logitsOf(model, () => packed(backend, sequences, failing))
      } catch (error) {
        claim(failed, `The pass failed before attention: ${String(error)}`)
      }
      claim(failed, 'The pass did not use its KvSource.')
      checkError()
    })
  }

  #saving(): Promise<void> {
    return this.#with(async ({ backend, model, config }) => {
      const dir = await mkdtemp(join(tmpdir(), 'ift-model-'))
      try {
        const path = join(dir, 'model.safetensors')
        await writeSafetensors(
          path,
          [...model.namedParameters()].map(([name, { value }]) => fromTensor(name, value)),
        )
        const again = this.#definition.build(config)
        await loadWeights(again, this.#definition, config, await openCheckpoint(dir), {
          backend,
          dtype: 'f32',
        })
        const other = new Map(again.namedParameters())
        for (const [name, { value }] of model.namedParameters())
          claimSame(name, await other.get(name)!.value.read(), await value.read())
        again.release()
      } finally {
        await rm(dir, { recursive: true })
      }
    })
  }

  async #refusals(): Promise<void> {
    const config: unknown = this.#definition.parseConfig(await this.#json())
    const model = this.#definition.build(config)
    const whole = new Map<string, StoredTensor>(
      [...model.namedParameters()].map(([path, { shape }]) => [
        path,
        { file: 'nowhere.safetensors', dtype: 'F32', shape, offset: 0, bytes: 0 },
      ]),
    )
    const [path, tensorOf] = [...whole][0]!
    const change = (by: (tensors: Map<string, StoredTensor>) => void) => {
      const tensors = new Map(whole)
      by(tensors)
      return new WeightSource('nowhere.safetensors', 'safetensors', tensors)
    }
    const cases = {
      IFT_WEIGHTS_MISSING: change((t) => t.delete(path)),
      IFT_WEIGHTS_UNEXPECTED: change((t) => t.set('conformance.left_over', tensorOf)),
      IFT_WEIGHTS_SHAPE: change((t) => t.set(path, { ...tensorOf, shape: [...tensorOf.shape, 3] })),
      IFT_WEIGHTS_DTYPE: change((t) => t.set(path, { ...tensorOf, dtype: 'I8' })),
    }
    const backend = referenceBackend()
    for (const [code, source] of Object.entries(cases)) {
      let found: unknown = null
      try {
        await loadWeights(model, this.#definition, config, source, { backend, dtype: 'f32' })
      } catch (error) {
        found = error
      }
      const named = code === 'IFT_WEIGHTS_UNEXPECTED' ? 'conformance.left_over' : path
      claim(
        found instanceof Error && 'code' in found && found.code === code && found.message.includes(named),
        `Expected ${code} naming ${named}, found ${String(found)}.`,
      )
    }
    claim(backend.memory().buffers === 0, 'A refused checkpoint leaves buffers behind.')
  }

  async #golden(dir: string): Promise<Golden> {
    const { tensors } = await openSafetensors(join(dir, 'golden.safetensors'))
    const get = (name: string): StoredTensor => {
      const t = tensors.get(name)
      claim(t !== undefined, `golden.safetensors has no ${name}.`)
      return t
    }
    const ints = async (name: string) => {
      const bytes = await readStored(get(name))
      return new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4)
    }
    const [ids, cu, labels, trained] = [
      await ints('input_ids'),
      await ints('cu_seqlens'),
      await ints('labels'),
      await ints('trained_tokens'),
    ]
    const cut = (all: Int32Array) => Array.from(cu.subarray(1), (end, s) => all.subarray(cu[s], end))
    return {
      sequences: cut(ids),
      labels: cut(labels),
      trained: trained[0]!,
      tensors,
      values: (name) => readValues(get(name)),
    }
  }

  #goldenLogits(dir: string): Promise<void> {
    return this.#with(async ({ backend, model }) => {
      const golden = await this.#golden(dir)
      const expected = await golden.values('logits')
      let start = 0
      let loss = 0
      for (const [i, sequence] of golden.sequences.entries()) {
        const logits = await logitsOf(model, () => packed(backend, [sequence]))
        claimClose(
          `logits of sequence ${i}`,
          logits,
          expected.subarray(start, start + logits.length),
          this.#tolerance,
        )
        start += logits.length
        loss += (
          await lossAndGradients(backend, model, [sequence], [golden.labels[i]!], 1 / golden.trained)
        )[0]!
      }
      claim(
        start === expected.length,
        `golden logits are ${expected.length} values, the sequences have ${start}.`,
      )
      claimClose('loss', [loss], await golden.values('loss'), this.#tolerance)
    })
  }

  #goldenGradients(dir: string): Promise<void> {
    return this.#with(async ({ backend, model }) => {
      const golden = await this.#golden(dir)
      this.#train(model)
      for (const [i, sequence] of golden.sequences.entries())
        await lossAndGradients(backend, model, [sequence], [golden.labels[i]!], 1 / golden.trained)
      const gradients = await this.#gradients(model)
      let compared = 0
      for (const name of golden.tensors.keys()) {
        if (!name.startsWith('grad.')) continue
        const path = name.slice('grad.'.length)
        const found = gradients.get(path)
        claim(found !== undefined, `${path} has no gradient.`)
        const expected = await golden.values(name)
        const largest = expected.reduce((most, g) => Math.max(most, Math.abs(g)), 0)
        for (const [e, g] of expected.entries())
          claim(
            Math.abs(found[e]! - g) <= this.#tolerance * largest + 1e-9,
            `gradient of ${path}, element ${e}: expected ${g}, found ${found[e]!}.`,
          )
        compared++
      }
      claim(compared === gradients.size, `${compared} golden gradients for ${gradients.size} parameters.`)
    })
  }
}

const weightsOf = (dir: string) => join(dir, 'model.safetensors')
