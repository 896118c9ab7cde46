import { expect, test } from 'vitest'
import { plan } from './plan.js'

/** A run whose activations take `bytes[n]` with n layers recomputed, in blocks larger by `larger`. */
const run = (bytes: readonly number[], budget: number | null, larger = 0) => {
  const asked: number[] = []
  const count = (recomputeLayers: number) => {
    asked.push(recomputeLayers)
    const activations = bytes[recomputeLayers]!
    const peak = 100 + activations
    return Promise.resolve({ weights: 60, training: 30, activations, peak, reserved: peak + larger })
  }
  return { asked, input: { layers: bytes.length - 1, budget, count } }
}

test.each([
  // One layer holds its input besides when it is recomputed.
  { bytes: [50, 58], budget: 120, layers: 0 },
  { bytes: [50, 40], budget: 120, layers: 1 },
  { bytes: [50, 50], budget: 120, layers: 0 },
  { bytes: [50, 45, 52], budget: 120, layers: 0 },
])('auto: where neither none nor all layers recomputed fit, the smaller is planned: $bytes', async (one) => {
  const planned = await plan(run(one.bytes, one.budget).input, 'auto')
  expect(planned).toMatchObject({
    fits: false,
    recomputeLayers: one.layers,
    total: 100 + one.bytes[one.layers]!,
  })
})

test('auto: as few layers as make it fit, and none where nothing is limited', async () => {
  const bytes = [90, 80, 70, 60, 50, 40, 30]
  for (const [budget, layers] of [
    [190, 0],
    [189, 1],
    [165, 3],
    [130, 6],
  ] as const) {
    const { input } = run(bytes, budget)
    expect(await plan(input, 'auto')).toMatchObject({ fits: true, recomputeLayers: layers })
  }
  const { input, asked } = run(bytes, null)
  expect(await plan(input, 'auto')).toMatchObject({ fits: true, recomputeLayers: 0 })
  expect(asked).toEqual([0])
})

test('what must fit is what the device takes, larger blocks included', async () => {
  for (const [larger, fits] of [
    [0, true],
    [1, false],
  ] as const)
    expect(await plan(run([20], 120, larger).input, 'none')).toMatchObject({
      ...{ fits, total: 120, reserved: 120 + larger, workspace: 10 },
    })
})

test('all, none and a number are taken whether they fit or not', async () => {
  for (const [wanted, layers] of [
    ['all', 2],
    ['none', 0],
    [1, 1],
  ] as const)
    expect(await plan(run([50, 55, 60], 1).input, wanted)).toMatchObject({
      fits: false,
      recomputeLayers: layers,
    })
})
