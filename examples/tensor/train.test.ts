import { expect, it } from 'vitest'
import { main } from './train.js'

it('learns to reverse strings it has not seen, and leaves no buffer', async () => {
  const lines: string[] = []
  expect(await main(250, (line) => lines.push(line)), lines.join('\n')).toBeGreaterThan(0.8)
})
