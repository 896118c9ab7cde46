// Decoding on the CPU, and on the kernels for NVIDIA GPUs, emulated on the processor: steps that were recorded beside steps
// that were run.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { loadWeights, openCheckpoint, type ModelDefinition } from '@ift/core'
import { openCpu } from '@ift/kernels-cpu'
import { baichuan } from '@ift/model-baichuan'
import { bloom } from '@ift/model-bloom'
import { chatglm, glm } from '@ift/model-chatglm'
import { gemma3 } from '@ift/model-gemma'
import { internlm, internlm2 } from '@ift/model-internlm'
import { llama } from '@ift/model-llama'
import { moss } from '@ift/model-moss'
import { phi } from '@ift/model-phi'
import { qwen } from '@ift/model-qwen'
import type { Backend, Buf } from '@ift/tensor'
import { Decoder } from './decoder.js'
import { emulatedIsBuilt, openEmulated } from '../../../kernels-cuda/src/emulated.fixture.js'

const fixture = (path: string) => fileURLToPath(new URL(`../../../../fixtures/${path}`, import.meta.url))
const emulated = emulatedIsBuilt()
if (!emulated) console.log('skipped: recorded steps of a GPU need the emulated build')
const devices = [
  { device: 'CPU', ready: true, openDevice: () => openCpu({ threads: 2 }) },
  { device: 'GPU', ready: emulated, openDevice: () => openEmulated() },
] as const

const prompts = [[5, 9, 2], [7], [3, 1, 4, 1, 5]]

async function open(backend: Backend, definition: ModelDefinition, files: string) {
  const json = JSON.parse(readFileSync(fixture(`${files}/config.json`), 'utf8')) as Record<string, unknown>
  const config: unknown = definition.parseConfig(json)
  const model = definition.build(config)
  const checkpoint = await openCheckpoint(fixture(files))
  await loadWeights(model, definition, config, checkpoint, { backend, dtype: 'f32' })
  return { model, shape: definition.shape(config) }
}

const largest = (scores: Float32Array) => scores.indexOf(Math.max(...scores))

/** Greedy steps of three sequences, of which the second ends early; scores of every step. */
async function decode(decoder: Decoder, steps: number): Promise<Float32Array[]> {
  const found: Float32Array[] = []
  let live = prompts.map((ids) => ({ sequence: decoder.add(), ids }))
  for (let step = 0; step < steps; step++) {
    const fed = decoder.feed(live)
    const scores = await fed.rows()
    fed.release()
    found.push(...scores)
    live = live.map(({ sequence }, i) => ({ sequence, ids: [largest(scores[i]!)] }))
    if (step === 12) decoder.remove(live.splice(1, 1)[0]!.sequence)
  }
  for (const { sequence } of live) decoder.remove(sequence)
  return found
}

for (const { device, ready, openDevice } of devices) {
  for (const [name, definition, files] of [
    ['LLaMA', llama, 'llama-tiny'],
    ['BLOOM', bloom, 'bloom/heads-6'],
    ['ChatGLM2', chatglm, 'chatglm/chatglm2'],
    ['GLM-4-0414', glm, 'chatglm/glm4'],
    ['Qwen', qwen, 'qwen/qwen3'],
    ['MOSS', moss, 'moss/codegen'],
    ['InternLM with dynamic angles', internlm, 'internlm/internlm-dynamic'],
    ['InternLM2', internlm2, 'internlm/internlm2'],
    ['Baichuan, rotary', baichuan, 'baichuan/rotary'],
    ['Baichuan, linear biases', baichuan, 'baichuan/alibi'],
    ['Gemma 3', gemma3, 'gemma/gemma3'],
    ['Phi with long and short factors', phi, 'phi/long'],
  ] as const)
    test.skipIf(!ready)(
      `${device}, ${name}: recorded steps are the steps, and leave no memory behind`,
      async () => {
        const backend = openDevice()
        const { model, shape } = await open(backend, definition, files)
        const before = backend.memory()
        let [recorded, replayed] = [0, 0]
        const record = backend.record.bind(backend)
        backend.record = (work) => {
          recorded++
          const recording = record(work)
          return {
            replay: () => {
              replayed++
              recording.replay()
            },
            release: () => {
              recording.release()
            },
          }
        }
        const recording = new Decoder(backend, model, null, shape, 'f32')
        // Twenty new tokens need a second page of sixteen rows; angles that change with every token end the replays.
        const found = await decode(recording, 20)
        expect(recorded).toBeGreaterThanOrEqual(1)
        expect(recorded).toBeLessThan(6)
        expect(replayed).toBeGreaterThan(name.includes('dynamic') ? 0 : 12)
        recording.release()
        expect(backend.memory().buffers).toBe(before.buffers)
        expect(backend.memory().allocated).toBe(before.allocated)

        const plain = new Decoder(
          backend,
          Object.create(model, { stepKey: { value: undefined } }) as typeof model,
          null,
          shape,
          'f32',
        )
        const runs = recorded
        expect(await decode(plain, 20)).toEqual(found)
        expect(recorded).toBe(runs)
        plain.release()
        model.release()
        backend.close()
      },
    )

  test.skipIf(!ready)(`${device}: a batch that changes with each step is recorded a few times`, async () => {
    const backend = openDevice()
    const { model, shape } = await open(backend, llama, 'llama-tiny')
    const before = backend.memory()
    let recorded = 0
    const record = backend.record.bind(backend)
    backend.record = (work) => {
      recorded++
      return record(work)
    }
    /** Between one and eleven sequences, one more or one less in each step; their scores of every step. */
    const change = async (decoder: Decoder) => {
      const found: Float32Array[] = []
      const live: { sequence: number; ids: number[] }[] = []
      for (let step = 0, more = true; step < 60; step++) {
        if (live.length === 0 || live.length === 11) more = live.length === 0
        if (more) {
          const sequence = decoder.add()
          decoder.feed([{ sequence, ids: [1 + (step % 9), 3, 5] }]).release()
          live.push({ sequence, ids: [2] })
        } else decoder.remove(live.splice(step % live.length, 1)[0]!.sequence)
        if (live.length === 0) continue
        const fed = decoder.feed(live)
        const scores = await fed.rows()
        fed.release()
        found.push(...scores)
        for (const [i, one] of live.entries()) one.ids = [largest(scores[i]!)]
      }
      for (const { sequence } of live) decoder.remove(sequence)
      return found
    }
    const recording = new Decoder(backend, model, null, shape, 'f32')
    const found = await change(recording)
    // Of 1, 2, 4, 8 and 12 rows, in one or two pages.
    expect(recorded).toBeGreaterThan(3)
    expect(recorded).toBeLessThanOrEqual(10)
    expect(recording.pages.held).toBe(0)
    recording.release()
    expect(backend.memory()).toMatchObject({ buffers: before.buffers, allocated: before.allocated })
    const plain = new Decoder(
      backend,
      Object.create(model, { stepKey: { value: undefined } }) as typeof model,
      null,
      shape,
      'f32',
      null,
      { sharePrefixes: false },
    )
    expect(await change(plain)).toEqual(found)
    plain.release()
    model.release()
    backend.close()
  })

  test.skipIf(!ready)(`${device}: weights that have moved are not read where they were`, async () => {
    const backend = openDevice()
    const { model, shape } = await open(backend, llama, 'llama-tiny')
    const decoder = new Decoder(backend, model, null, shape, 'f32')
    const expected = await decode(decoder, 10)
    // Training takes the weights elsewhere; what was recorded is given up, not replayed.
    for (const [, parameter] of model.namedParameters()) parameter.setTrainable(true)
    expect(await decode(decoder, 10)).toEqual(expected)
    decoder.release()
    model.release()
    backend.close()
  })
}

test.skipIf(!emulated)('GPU: a step that finds no memory to be recorded in is run as it is', async () => {
  const run = async (full: boolean) => {
    const backend = openEmulated({ memory: 4 << 20 })
    const { model, shape } = await open(backend, llama, 'llama-tiny')
    const before = backend.memory()
    const failures: unknown[] = []
    const record = backend.record.bind(backend)
    backend.record = (work) => {
      // Whatever there is, kept memory included, is somebody else's meanwhile.
      const taken: Buf[] = []
      try {
        while (full) taken.push(backend.alloc(512))
      } catch (error) {
        expect(error).toMatchObject({ code: 'IFT_OUT_OF_MEMORY' })
      }
      try {
        return record(work)
      } catch (error) {
        failures.push(error)
        throw error
      } finally {
        for (const buf of taken) backend.free(buf)
      }
    }
    const decoder = new Decoder(backend, model, null, shape, 'f32')
    const found = await decode(decoder, 20)
    decoder.release()
    expect(backend.memory().allocated).toBe(before.allocated)
    model.release()
    backend.close()
    return { found, failures }
  }
  const [recorded, refused] = [await run(false), await run(true)]
  expect(recorded.failures).toEqual([])
  expect(refused.found).toEqual(recorded.found)
  // Once: with no others to give up it would fail again.
  expect(refused.failures).toEqual([
    expect.objectContaining({
      code: 'IFT_RECORDING',
      message: expect.stringMatching(
        / asked, .* of 4.00 MiB in buffers \(the device has no memory left/,
      ) as string,
    }),
  ])
})
