import { expect, test } from 'vitest'
import { backward, ops, Parameter, scope, tensor } from '../index.js'
import { referenceBackend } from '../reference/index.js'

const backend = referenceBackend()

function made(values: readonly number[], trainable: boolean, dtype: 'f32' | 'bf16' = 'f32'): Parameter {
  const parameter = new Parameter([1, values.length])
  parameter.assign(tensor(backend, Float32Array.from(values), [1, values.length], dtype))
  parameter.setTrainable(trainable)
  return parameter
}

/** Adds 1 to every element of the gradient. */
function slope(parameter: Parameter): void {
  scope(() => {
    const width = parameter.shape[1]!
    const ones = tensor(backend, new Float32Array(width).fill(1), [1, width])
    backward(ops.linear(ones, parameter.value).reshape(1))
  })
}

const read = async (parameter: Parameter) => [...(await parameter.value.read())]

test.each(['f32', 'bf16'] as const)('exchange moves value, master and gradient in %s', async (dtype) => {
  const [a, b] = [made([1, 2], true, dtype), made([3, 4], false, dtype)]
  backend.write(a.master.buf, Float32Array.of(1.001, 2.001))
  a.roundFromMaster()
  const rounded = await read(a)
  a.exchange(b)
  expect([a.trainable, b.trainable]).toEqual([false, true])
  expect([await read(a), await read(b)]).toEqual([[3, 4], rounded])
  expect([...(await b.master.read())]).toEqual([...Float32Array.of(1.001, 2.001)])
  a.release()
  b.release()
})

test('a gradient goes along, and is collected where its value is', async () => {
  const [a, b] = [made([1, 2], true), made([3, 4], false)]
  slope(a)
  a.exchange(b)
  expect(a.grad).toBeNull()
  slope(b)
  expect([...(await b.grad!.read())]).toEqual([2, 2])
  a.exchange(b)
  expect(b.grad).toBeNull()
  expect([...(await a.grad!.read())]).toEqual([2, 2])
  a.release()
  b.release()
})

test('exchange refuses another shape and changes nothing', async () => {
  const [a, b] = [made([1, 2], true), made([3, 4, 5], false)]
  expect(() => {
    a.exchange(b)
  }).toThrow('exchange expected a parameter [1, 2], found [1, 3]')
  expect([await read(a), await read(b)]).toEqual([
    [1, 2],
    [3, 4, 5],
  ])
  a.release()
  b.release()
})

test.each(['f32', 'bf16'] as const)('what is set aside in %s survives another run on top', async (dtype) => {
  const a = made([1, 2], true, dtype)
  backend.write(a.master.buf, Float32Array.of(1.001, 2.001))
  a.roundFromMaster()
  const rounded = await read(a)
  const aside = a.setAside()
  expect(a.trainable).toBe(false)
  expect(await read(a)).toEqual(rounded)
  // As another method would.
  a.setTrainable(true)
  a.setTrainable(false)
  a.assign(tensor(backend, Float32Array.of(7, 8), [1, 2], dtype))
  a.exchange(aside)
  aside.release()
  expect([...(await a.master.read())]).toEqual([...Float32Array.of(1.001, 2.001)])
  expect(await read(a)).toEqual(rounded)
  a.release()
})

test('gradients of what is set aside and of what stays are two', async () => {
  const a = made([1, 2], true)
  slope(a)
  const aside = a.setAside()
  a.setTrainable(true)
  slope(a)
  slope(a)
  expect([...(await a.grad!.read())]).toEqual([2, 2])
  a.exchange(aside)
  aside.release()
  expect([...(await a.grad!.read())]).toEqual([1, 1])
  a.release()
})
