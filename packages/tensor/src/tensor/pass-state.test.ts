import { expect, test } from 'vitest'
import { referenceBackend } from '../reference/index.js'
import { scale } from '../ops/scale.js'
import { Parameter } from '../nn/parameter.js'
import { tensor } from './create.js'
import { passState, withPassState } from './pass-state.js'
import { recompute } from './recompute.js'
import { scope } from './scope.js'
import { backward } from './tape.js'

test('what is computed again in a backward pass sees the state of the first time', async () => {
  const backend = referenceBackend()
  const weight = new Parameter([1])
  weight.assign(tensor(backend, [1], [1], 'f32'))
  weight.setTrainable(true)
  const seen: unknown[] = []
  scope(() => {
    const y = withPassState(3, () =>
      recompute((x) => {
        seen.push(passState())
        return scale(x, passState() as number)
      }, weight.value),
    )
    withPassState(5, () => {
      backward(y)
    })
  })
  expect(seen).toEqual([3, 3])
  expect([...(await weight.gradient().read())]).toEqual([3])
  expect(passState()).toBe(null)
  weight.release()
  backend.close()
})

test('the state ends with its function, also by an error', () => {
  expect(() =>
    withPassState('outer', () => {
      withPassState('inner', () => {
        throw new RangeError(String(passState()))
      })
    }),
  ).toThrow('inner')
  expect(passState()).toBe(null)
})
