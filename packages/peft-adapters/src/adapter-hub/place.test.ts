import { expect, test } from 'vitest'
import { houlsbyOptions } from './options.js'
import { sublayerOf, widthOf } from './place.js'

const options = (reductionFactor: number | Record<string, number>) =>
  houlsbyOptions.parse({ reductionFactor })

test.each<[number | Record<string, number>, number, number]>([
  [16, 0, 3],
  [5, 0, 9],
  // 48 // 0.1 of Python
  [0.1, 0, 479],
  [1000, 0, 1],
  [{ '1': 4, default: 16 }, 1, 12],
  [{ '1': 4, default: 16 }, 2, 3],
])('48 reduced by %j in layer %i is %i wide', (factor, layer, width) => {
  expect(widthOf(options(factor), layer, 48)).toBe(width)
})

test('a layer without a factor is named', () => {
  expect(() => widthOf(options({ '1': 4, '3': 4 }), 2, 48)).toThrow(
    expect.objectContaining({
      code: 'IFT_PEFT_OPTIONS',
      message: 'peft.reductionFactor expected a number for layer 2 or one by the name default, found 1, 3.',
    }),
  )
  expect(() => options({ last: 3 })).toThrow()
  expect(() => options(0)).toThrow()
})

const roles = {
  ...{ queryKeyValue: 'c_attn', attentionOutput: 'attn.c_proj', feedForwardIn: 'c_fc' },
  ...{ feedForwardOut: 'mlp.c_proj', norm: [], embedding: 'wte', head: 'lm_head' },
}

test('the decoder layer and the place in it', () => {
  expect(sublayerOf('transformer.h.11.attn.c_proj', { roles })).toEqual({
    layer: 'transformer.h.11',
    index: 11,
    kind: 'attention',
  })
  expect(sublayerOf('transformer.h.0.mlp.c_proj', { roles })).toMatchObject({ index: 0, kind: 'output' })
})
