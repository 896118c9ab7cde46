// What a set of adapters refuses, and that it is then as it was.
import { openAdapter } from '@ift/core'
import type { AdapterSet } from '@ift/core/peft'
import { lora } from '@ift/peft-lora'
import { expect, test } from 'vitest'
import { lengthsOf, load, logitsOf, withSet } from '../fixture/adapter-set.js'
import { fixture } from '../fixture/files.js'
import { worst } from '../fixture/golden.js'

test('an adapter that cannot be loaded leaves everything as it was', async () => {
  await withSet(async (opened) => {
    const { set } = opened
    await load(set, 'lora')
    set.use('lora')
    const before = await logitsOf(opened)
    // Of other shapes; relative to changed base weights; of a name that is taken, or none.
    await expect(load(set, 'tied-lora-both')).rejects.toMatchObject({ code: 'IFT_ADAPTER_SHAPE' })
    await expect(load(set, 'pissa')).rejects.toMatchObject({
      code: 'IFT_ADAPTERS_BASE',
      message: expect.stringMatching(/adapter "pissa".*changes .*q_proj\.weight/) as string,
    })
    for (const name of ['lora', 'base', 'a/b', ''])
      await expect(
        set.load(name, { source: await openAdapter(fixture('peft-lora/lora')), method: lora }),
      ).rejects.toMatchObject({ code: 'IFT_ADAPTER_NAME' })
    expect(set.names).toEqual(['lora'])
    expect(worst(await logitsOf(opened), before)).toBe(0)
    expect(() => {
      set.use('lorra')
    }).toThrow(
      expect.objectContaining({
        code: 'IFT_ADAPTER_NAME',
        hint: expect.stringContaining('"lora"') as string,
      }),
    )
  })
})

test('rows that do not fit a pass are refused', async () => {
  await withSet(async (opened) => {
    const { set } = opened
    await load(set, 'lora', 'all-linear')
    const rows = (groups: Parameters<AdapterSet['rowsOf']>[0], outputRows?: number[]) => () =>
      set.rowsOf(groups, outputRows)
    const refused = (message: RegExp): unknown =>
      expect.objectContaining({ code: 'IFT_ADAPTER_ROWS', message: expect.stringMatching(message) as string })
    const a = { adapter: 'lora', rows: [0, 1] }
    expect(rows([a, { adapter: null, rows: [1, 2] }])).toThrow(refused(/row 1 is in two groups/))
    expect(rows([a, { adapter: null, rows: [7] }])).toThrow(refused(/row 7 is named.* 3 rows/))
    expect(rows([])).toThrow(refused(/no rows/))
    expect(rows([a, { adapter: null, rows: [2] }], [3])).toThrow(refused(/outputRows names row 3/))
    expect(rows([a, { adapter: null, rows: [2] }], [2, 1, 0])).toThrow(refused(/order/))
    const short = set.rows({ lengths: [3, 4], adapters: ['lora', null] })
    expect(() => set.within(short, () => logitsOf(opened))).toThrow(refused(/got 28 rows.* have 7/))
    short.release()
    const early = set.rows({ lengths: lengthsOf(opened), adapters: ['lora', null, null, null, null] })
    await load(set, 'lm-head')
    expect(() => set.within(early, () => logitsOf(opened))).toThrow(refused(/before an adapter was loaded/))
    early.release()
  })
})
