import { isDeepStrictEqual } from 'node:util'
import { IftError, limitParameters } from '@ift/tensor'
import { mostParameters } from '../files/bounds.js'
import { Decoder } from '../generate/decoder.js'
import { checkTokenizer } from '../session/check-tokenizer.js'
import { engineOver } from './answers.js'
import { claim } from './claim.js'
import type { ModelBench } from './model-bench.js'

/** A wrong value of any field of config.json is refused by the field's name, or the field plays no part. */
export async function fields(bench: ModelBench): Promise<void> {
  const json = await bench.json()
  const right: unknown = bench.definition.parseConfig(json)
  for (const field of Object.keys(json))
    for (const wrong of ['conformance', -1, { conformance: 1 }]) {
      let found: unknown
      try {
        found = bench.definition.parseConfig({ ...json, [field]: wrong })
      } catch (error) {
        claim(
          error instanceof IftError && error.code === 'IFT_MODEL_CONFIG' && error.message.includes(field),
          `${field}: ${JSON.stringify(wrong)}: expected IFT_MODEL_CONFIG naming the field, found ${String(error)}.`,
        )
        continue
      }
      claim(
        isDeepStrictEqual(found, right),
        `${field}: ${JSON.stringify(wrong)} makes another model and is not refused.`,
      )
    }
}

/**
 * A size beyond any model's is refused by name, or builds nothing for each of its units: a file says it, and must not take all memory.
 */
export async function bounds(bench: ModelBench): Promise<void> {
  const json = await bench.json()
  for (const [field, right] of Object.entries(json)) {
    if (!Number.isSafeInteger(right)) continue
    for (const size of [1_000_000, 2 ** 31 - 1, Number.MAX_SAFE_INTEGER]) {
      const start = performance.now()
      let found: unknown = null
      try {
        const parsed: unknown = bench.definition.parseConfig({ ...json, [field]: size })
        limitParameters(
          mostParameters,
          () => new IftError('IFT_MODEL_CONFIG', field),
          () => bench.definition.build(parsed),
        )
      } catch (error) {
        found = error
      }
      claim(
        found === null || (found instanceof IftError && found.code === 'IFT_MODEL_CONFIG'),
        `${field}: ${size}: expected IFT_MODEL_CONFIG, found ${String(found)}.`,
      )
      const seconds = (performance.now() - start) / 1000
      claim(seconds < 5, `${field}: ${size} is looked at for ${seconds.toFixed(1)} s.`)
    }
  }
}

/** Without its sizes a config is refused, and the field is named. */
export async function sizes(bench: ModelBench): Promise<void> {
  const json = await bench.json()
  const right: unknown = bench.definition.parseConfig(json)
  let needed = 0
  for (const field of Object.keys(json)) {
    const rest = Object.fromEntries(Object.entries(json).filter(([name]) => name !== field))
    let found: unknown
    try {
      found = bench.definition.parseConfig(rest)
    } catch (error) {
      claim(
        error instanceof IftError && error.code === 'IFT_MODEL_CONFIG',
        `Without ${field}: expected IFT_MODEL_CONFIG, found ${String(error)}.`,
      )
      needed++
      continue
    }
    // A field that is left out has a default.
    claim(typeof found === typeof right, `Without ${field} the config is ${String(found)}.`)
  }
  claim(needed > 0, 'A config without any of its sizes is taken.')
}

/** A tokenizer with ids that the embedding has no rows for is refused. */
export async function tokenizers(bench: ModelBench): Promise<void> {
  const config: unknown = bench.definition.parseConfig(await bench.json())
  const shape = bench.definition.shape(config)
  const check = (vocabSize: number, specials: ReadonlyMap<string, number>): string | null => {
    try {
      checkTokenizer({ vocabSize, specials }, shape, 'conformance')
      return null
    } catch (error) {
      return error instanceof IftError ? error.code : String(error)
    }
  }
  const { vocab } = shape
  claim(check(vocab, new Map()) === null, `A tokenizer of ${vocab} ids is refused.`)
  const found = check(vocab + 1, new Map())
  claim(
    found === 'IFT_TOKENIZER_MISMATCH',
    `A tokenizer of ${vocab + 1} ids for ${vocab} rows: expected IFT_TOKENIZER_MISMATCH, found ${String(found)}.`,
  )
  claim(
    check(vocab + 1, new Map([['<image>', vocab]])) === null,
    'A special token beyond the table, which no text holds, is refused.',
  )
}

/** A prompt that leaves no room below the model's limit is refused, and the limit is named. */
export function lengths(bench: ModelBench): Promise<void> {
  return bench.with(async ({ backend, model, config }) => {
    const shape = bench.definition.shape(config)
    const { maxPositions } = shape
    if (maxPositions === null) return
    const decoder = new Decoder(backend, model, null, shape, 'f32')
    const engine = engineOver(decoder, { room: () => ({ positions: maxPositions, virtualTokens: 0 }) })
    let found: unknown = null
    try {
      await engine.submit(new Int32Array(maxPositions), { maxNewTokens: 1 }).result
    } catch (error) {
      found = error
    }
    await engine.close()
    decoder.release()
    claim(
      found instanceof IftError &&
        found.code === 'IFT_SEQUENCE_TOO_LONG' &&
        found.message.includes(String(maxPositions)),
      `A prompt of ${maxPositions} tokens: expected IFT_SEQUENCE_TOO_LONG naming the limit, found ${String(found)}.`,
    )
  })
}
