import { describe, test } from 'vitest'
import {
  peftConformance,
  peftMechanism,
  type PeftConformanceOptions,
  type PeftModel,
} from '@ift/core/testing'
import { chatglm } from '@ift/model-chatglm'
import { llama } from '@ift/model-llama'
import { allMethods } from '../../scripts/peft-matrix/subjects.js'
import { fixture } from '../fixture/files.js'

// Every method of the packages passes the kit, with its defaults and with the options below.

/** Biases everywhere and a tied head; and prompts that are read in both directions. */
const models: readonly PeftModel[] = [
  { definition: llama, folder: fixture('llama-variants/tied-bias') },
  { definition: chatglm, folder: fixture('chatglm/chatglm1'), promptEnd: [41, 44] },
]

type Settings = Omit<PeftConformanceOptions, 'models'>

/** Random virtual tokens, and branches that do not begin as zeros. */
const startsAway: Settings = { startsAtBase: false }

/** By method, and by what is special; a method that is not here has its defaults. */
const settings: Readonly<Record<string, Readonly<Record<string, Settings>>>> = {
  lora: {
    'as it is': {},
    // The paper takes the norms for constants.
    'with DoRA': { options: { dora: true, dropout: 0 }, wholeGradient: false },
    'with DoRA and dropout': { options: { dora: true, targetModules: 'all-linear' }, wholeGradient: false },
    'with all that it can train': {
      options: { r: 3, targetModules: 'all-linear', bias: 'all', modulesToSave: ['norm'], loraBias: true },
    },
  },
  'prompt-tuning': { 'as it is': startsAway },
  'p-tuning': {
    'as it is': startsAway,
    'with an LSTM': {
      ...startsAway,
      options: { encoder: 'lstm', encoderHidden: 4, encoderLayers: 2, encoderDropout: 0.1 },
    },
  },
  'prefix-tuning': {
    'as it is': startsAway,
    'with a projection': { ...startsAway, options: { projection: true, encoderHidden: 6 } },
    'with positions from zero': { ...startsAway, options: { positionsFromZero: true } },
  },
  houlsby: { 'as it is': startsAway },
  pfeiffer: { 'as it is': startsAway },
  bottleneck: {
    'as it is': startsAway,
    'beside its layers by a learned factor': {
      ...startsAway,
      options: { useParallelAdapter: true, scaling: 'learned' },
    },
  },
}

for (const { name, method, options } of await allMethods())
  for (const [kind, own] of Object.entries(settings[name] ?? { 'as it is': {} })) {
    const all = { ...own, options: { ...options, ...own.options } }
    const taken: PeftModel[] = []
    for (const model of models) if ((await peftMechanism(method, model, all)) !== null) taken.push(model)
    describe(`${name} ${kind}`, () => {
      for (const one of peftConformance(method, { models: taken, ...all })) test(one.name, one.run)
    })
  }

// Where memory is counted they begin without the weights that they take their start from. Weights that were changed are not the base
// bit for bit, which other cases want.
test.each(['pissa', 'olora'])('lora with the start %s: the memory plan', async (init) => {
  const { method } = (await allMethods()).find(({ name }) => name === 'lora')!
  const cases = peftConformance(method, { models, options: { init, targetModules: 'all-linear' } })
  for (const { name, run } of cases) if (name.includes(': the memory plan')) await run()
})
