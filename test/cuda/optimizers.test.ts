import { describe, test } from 'vitest'
import { Ift } from '@ift/core'
import { optimizerConformance } from '@ift/core/testing'
import { emulatedIsBuilt, openEmulated } from '../../packages/kernels-cuda/src/emulated.fixture.js'

const builtin = await Ift.using({ config: {} }, (ift) =>
  Promise.all(['adamw', 'lion', 'adafactor'].map((name) => ift.optimizer(name))),
)

describe.skipIf(!emulatedIsBuilt())('on a GPU that is emulated on the processor', () => {
  const backend = () => openEmulated({ schedule: 1 })
  for (const definition of builtin)
    for (const { name, run } of optimizerConformance(definition, { backend })) test(name, run)
  const options = { beta1: 0.9, scaleParameter: true }
  for (const { name, run } of optimizerConformance(builtin[2]!, { backend, options }))
    test(`${name}, with a first moment, scaled by the parameter`, run)
})
