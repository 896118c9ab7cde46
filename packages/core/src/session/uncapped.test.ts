import { expect, test } from 'vitest'
import { checkBound, underBound } from './uncapped.js'

async function* records(count: number) {
  for (let i = 0; i < count; i++) yield await Promise.resolve(i)
}
const bound = { name: 'xp3', most: 5, counted: 20 }

test('records up to the bound pass; of more, their number is said', async () => {
  const passed: number[] = []
  for await (const record of underBound(records(5), bound)) passed.push(record)
  expect(passed).toEqual([0, 1, 2, 3, 4])
  await expect(checkBound(records(5), bound)).resolves.toBeUndefined()
  const refused = checkBound(records(20), bound)
  await expect(refused).rejects.toMatchObject({ code: 'IFT_DATA_CAP' })
  await expect(refused).rejects.toThrow('"xp3" has 20 records')
  await expect(checkBound(records(6), bound)).rejects.toThrow('"xp3" has 6 records')
  await expect(checkBound(records(Infinity), bound)).rejects.toThrow('"xp3" has more than 20 records')
})
