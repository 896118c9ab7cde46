import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PackedKv, segments, type KvSource } from '@ift/tensor'
import { referenceBackend } from '@ift/tensor/reference'
import { saveModel } from '../checkpoint/save-model.js'
import { openCheckpoint } from '../checkpoint/source.js'
import type { StoredTensor } from '../checkpoint/stored.js'
import { WeightSource } from '../checkpoint/weight-source.js'
import { initializeWeights, loadWeights } from '../checkpoint/weights.js'
import { claim, claimSame } from './claim.js'
import { logitsOf, packedInput } from './forward.js'
import { weightsOf, type ModelBench } from './model-bench.js'
import { writeTorchCheckpoint } from './torch-file.js'

/** A config makes modules, without storage, of the sizes that `shape` says. */
export async function builds(bench: ModelBench): Promise<void> {
  const config: unknown = bench.definition.parseConfig(await bench.json())
  const model = bench.definition.build(config)
  const paths = [...model.namedParameters()].map(([path]) => path)
  claim(paths.length > 0, 'The model has no parameters.')
  claim(new Set(paths).size === paths.length, 'A parameter path appears twice.')
  for (const [path, parameter] of model.namedParameters())
    claim(!parameter.isAssigned, `${path} has storage before anything was loaded.`)
  const { hidden, layers, vocab } = bench.definition.shape(config)
  claim(model.layers.length === layers, `shape().layers is ${layers}, the model has ${model.layers.length}.`)
  claim(
    model.lmHead.outFeatures === vocab,
    `shape().vocab is ${vocab}, the head gives ${model.lmHead.outFeatures}.`,
  )
  claim(
    model.lmHead.inFeatures === hidden,
    `shape().hidden is ${hidden}, the head takes ${model.lmHead.inFeatures}.`,
  )
}

/** Every tensor of the checkpoint has one place, and every parameter one tensor; paths map to themselves. */
export async function names(bench: ModelBench): Promise<void> {
  const config: unknown = bench.definition.parseConfig(await bench.json())
  const paths = [...bench.definition.build(config).namedParameters()].map(([path]) => path)
  const { definition } = bench
  const place = (name: string) =>
    definition.mapWeight === undefined ? name : definition.mapWeight(name, config)
  const { golden } = bench.options
  const names = golden === undefined ? paths : [...(await openCheckpoint(weightsOf(golden))).names()]
  const placed = new Set(names.map(place).filter((path) => path !== null))
  for (const path of paths)
    claim(placed.has(path), `Parameter ${path} is the place of no tensor in the checkpoint.`)
  for (const path of placed) claim(paths.includes(path), `The tensor for ${path} has no place in the model.`)
  // A model saved by ift has the paths for names.
  for (const path of paths)
    claim(place(path) === path, `mapWeight(${path}) is ${place(path)}: paths must map to themselves.`)
}

/** Every parameter has a finite start that the seed decides. */
export async function starts(bench: ModelBench): Promise<void> {
  const config: unknown = bench.definition.parseConfig(await bench.json())
  const started = async (seed: number) => {
    const backend = referenceBackend()
    const model = bench.definition.build(config)
    await initializeWeights(model, bench.definition, config, { backend, dtype: 'f32', seed })
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

/** Queries, keys and values have the shapes that `shape` promises to caches, layer after layer. */
export function shapes(bench: ModelBench): Promise<void> {
  return bench.with(async ({ backend, model, config }) => {
    const shape = bench.definition.shape(config)
    const sequences = bench.sequences(config)
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
      return packedInput(backend, model, sequences, spy)
    })
    const expected = Array.from({ length: shape.layers }, (_, i) => i)
    claim(
      seen.join() === expected.join(),
      `Layers attended in the order ${seen.join()}, expected ${expected.join()}.`,
    )
  })
}

/** Parameters written to a file and loaded again are the same bits. */
export function saving(bench: ModelBench): Promise<void> {
  return bench.with(async ({ backend, model, config }) => {
    const dir = await mkdtemp(join(tmpdir(), 'ift-model-'))
    try {
      const { definition } = bench
      const configJson = await bench.json()
      // In one file, and in shards.
      for (const maxShardBytes of [undefined, 2048]) {
        const folder = join(dir, maxShardBytes === undefined ? 'whole' : 'shards')
        await saveModel(folder, { model, definition, dtype: 'f32', configJson, maxShardBytes })
        const shards = existsSync(join(folder, 'model.safetensors.index.json'))
        claim(shards === (maxShardBytes !== undefined), `${folder} ${shards ? 'has' : 'has no'} index.`)
        const again = definition.build(config)
        const source = await openCheckpoint(folder)
        await loadWeights(again, definition, config, source, { backend, dtype: 'f32' })
        const other = new Map(again.namedParameters())
        for (const [name, { value }] of model.namedParameters())
          claimSame(name, await other.get(name)!.value.read(), await value.read())
        again.release()
      }
    } finally {
      await rm(dir, { recursive: true })
    }
  })
}

/** The tensors of the checkpoint in PyTorch's files, one or several, give what they give in safetensors. */
export function loading(bench: ModelBench): Promise<void> {
  return bench.with(async ({ backend, model, config }) => {
    const dir = await mkdtemp(join(tmpdir(), 'ift-model-'))
    try {
      const { definition } = bench
      const { golden } = bench.options
      const configJson = await bench.json()
      const saved = join(dir, 'saved')
      if (golden === undefined) await saveModel(saved, { model, definition, dtype: 'f32', configJson })
      const { tensors } = await openCheckpoint(golden === undefined ? saved : weightsOf(golden))
      for (const files of [1, 3]) {
        const folder = join(dir, String(files))
        await mkdir(folder)
        await writeTorchCheckpoint(folder, tensors, files)
        const source = await openCheckpoint(folder)
        claim(source.format === 'pytorch', `${folder} is read as ${source.format}.`)
        const again = definition.build(config)
        await loadWeights(again, definition, config, source, { backend, dtype: 'f32' })
        const other = new Map(again.namedParameters())
        for (const [name, { value }] of model.namedParameters())
          claimSame(`${name} of ${files} .bin files`, await other.get(name)!.value.read(), await value.read())
        again.release()
      }
    } finally {
      await rm(dir, { recursive: true })
    }
  })
}

/** A checkpoint that does not fit is refused before anything is loaded, and the tensor is named. */
export async function refusals(bench: ModelBench): Promise<void> {
  const config: unknown = bench.definition.parseConfig(await bench.json())
  const model = bench.definition.build(config)
  const whole = new Map<string, StoredTensor>(
    [...model.namedParameters()].map(([path, { shape }]) => [
      path,
      {
        file: 'nowhere.safetensors',
        dtype: 'F32',
        shape: bench.definition.transposed?.(path) === true ? shape.toReversed() : shape,
        offset: 0,
        bytes: 0,
      },
    ]),
  )
  const [path, tensorOf] = [...whole][0]!
  const change = (by: (tensors: Map<string, StoredTensor>) => void) => {
    const tensors = new Map(whole)
    by(tensors)
    return new WeightSource('nowhere.safetensors', 'safetensors', tensors)
  }
  const { shape } = tensorOf
  const other = [...shape, 3]
  // Texts that the message must contain besides the file: tensor, expected, found.
  const cases: readonly (readonly [code: string, source: WeightSource, named: readonly string[]])[] = [
    ['IFT_WEIGHTS_MISSING', change((t) => t.delete(path)), [path]],
    [
      'IFT_WEIGHTS_UNEXPECTED',
      change((t) => t.set('conformance.left_over', tensorOf)),
      ['conformance.left_over'],
    ],
    [
      'IFT_WEIGHTS_SHAPE',
      change((t) => t.set(path, { ...tensorOf, shape: other })),
      [path, `expected [${shape.join(', ')}], found [${other.join(', ')}]`],
    ],
    ['IFT_WEIGHTS_DTYPE', change((t) => t.set(path, { ...tensorOf, dtype: 'I8' })), [path, 'found I8']],
  ]
  const backend = referenceBackend()
  for (const [code, source, named] of cases) {
    let found: unknown = null
    try {
      await loadWeights(model, bench.definition, config, source, { backend, dtype: 'f32' })
    } catch (error) {
      found = error
    }
    const wanted = ['nowhere.safetensors', ...named]
    claim(
      found instanceof Error &&
        'code' in found &&
        found.code === code &&
        wanted.every((text) => (found as Error).message.includes(text)),
      `Expected ${code} naming ${wanted.join(', ')}; found ${String(found)}.`,
    )
  }
  claim(backend.memory().buffers === 0, 'A refused checkpoint leaves buffers behind.')
}
