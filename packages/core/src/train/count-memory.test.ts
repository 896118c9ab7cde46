import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { openCpu } from '@ift/kernels-cpu'
import { lora } from '@ift/peft-lora'
import { quantizeLinears } from '@ift/tensor'
import { countMemory, memoryOfStep, wholeBatch, type CountedRun } from './count-memory.js'
import { adafactor } from './optimizer/adafactor.js'
import { adamw } from './optimizer/adamw.js'
import { families } from './virtual-tokens.fixture.js'

const fixture = (path: string) => fileURLToPath(new URL(`../../../../fixtures/${path}`, import.meta.url))

interface Case {
  readonly name: string
  readonly run: Partial<CountedRun>
  readonly options?: object
  readonly quantize?: 'nf4'
}

const cases: readonly Case[] = [
  { name: 'f32', run: { dtype: 'f32' } },
  { name: 'bf16, two layers recomputed', run: { recomputeLayers: 2 } },
  { name: 'nf4', run: {}, quantize: 'nf4' },
  {
    name: 'DoRA with dropout on all linear layers',
    run: {},
    options: { dora: true, dropout: 0.1, targetModules: 'all-linear' },
  },
  {
    name: 'Adafactor',
    run: {
      optimizer: { definition: adafactor, options: adafactor.options.parse({}), weightDecay: 0, clipNorm: 1 },
    },
  },
]

describe.each(families)('%s', (_name, definition, folder) => {
  test.each(cases)(
    'a step of LoRA takes as many bytes as were counted: $name',
    async ({ run, options = {}, quantize }) => {
      const json = JSON.parse(readFileSync(fixture(`${folder}/config.json`), 'utf8')) as Record<
        string,
        unknown
      >
      const config: unknown = definition.parseConfig(json)
      const shape = definition.shape(config)
      const dtype = run.dtype ?? 'bf16'
      const counted: CountedRun = {
        ...{ device: 'cpu', recomputeLayers: 0, dtype, batch: wholeBatch(48, shape.bidirectionalPrompt) },
        optimizer: { definition: adamw, options: adamw.options.parse({}), weightDecay: 0, clipNorm: 1 },
        build() {
          const model = definition.build(config)
          if (quantize) quantizeLinears(model, quantize, [model.lmHead])
          return model
        },
        async attach(model, backend) {
          const peft = await lora.attach(model, lora.options.parse(options), {
            ...{
              definition,
              shape,
              roles: definition.roles(config),
              backend,
              dtype,
              seed: 1,
              baseModel: folder,
            },
          })
          return { peft, trainable: [...peft.trainable()] }
        },
        ...run,
      }
      const backend = openCpu({ threads: 1 })
      try {
        const { reserved: _, ...real } = await memoryOfStep(counted, backend)
        const { reserved, ...found } = await countMemory(counted)
        expect(found).toEqual(real)
        expect(reserved).toBe(found.peak)
      } finally {
        backend.close()
      }
    },
  )
})
