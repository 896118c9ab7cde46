import { IftError } from '@ift/tensor'

const invalid = (list: string, why: string) =>
  new IftError(
    'IFT_RANKS_ENVIRONMENT',
    `The Slurm node list "${list}" cannot be read: ${why}.`,
    'Give the address of rank 0: export IFT_MASTER_ADDR=HOST IFT_MASTER_PORT=29500',
  )

/** Cuts at commas that stand outside of brackets. */
function split(list: string): string[] {
  const parts: string[] = []
  let depth = 0
  let start = 0
  for (let i = 0; i < list.length; i++) {
    if (list[i] === '[') depth++
    else if (list[i] === ']') depth--
    else if (list[i] === ',' && depth === 0) {
      parts.push(list.slice(start, i))
      start = i + 1
    }
    if (depth < 0 || depth > 1) throw invalid(list, 'its brackets do not match')
  }
  if (depth !== 0) throw invalid(list, 'its brackets do not match')
  return [...parts, list.slice(start)].filter(Boolean)
}

/** The host names of a Slurm node list: `gpu[01-03,7]-ib,login` is gpu01-ib gpu02-ib gpu03-ib gpu7-ib login. */
export function expandNodeList(list: string): string[] {
  const expand = (name: string): string[] => {
    const open = name.indexOf('[')
    if (open < 0) return [name]
    const close = name.indexOf(']', open)
    const [before, inside] = [name.slice(0, open), name.slice(open + 1, close)]
    const after = expand(name.slice(close + 1))
    const numbers = inside.split(',').flatMap((range) => {
      const [, from, to = from] = /^(\d+)(?:-(\d+))?$/.exec(range) ?? []
      if (from === undefined || to === undefined) throw invalid(list, `"${range}" is no range`)
      const count = Number(to) - Number(from) + 1
      if (count < 1 || count > 65536) throw invalid(list, `"${range}" is no range`)
      // The first number's width is that of all: 08-10 is 08 09 10.
      return Array.from({ length: count }, (_, i) => String(Number(from) + i).padStart(from.length, '0'))
    })
    return numbers.flatMap((number) => after.map((rest) => `${before}${number}${rest}`))
  }
  return split(list).flatMap(expand)
}

/** Counts of Slurm's per-node lists: `2(x3),1` is 2 2 2 1. */
export function expandCounts(list: string): number[] {
  return list.split(',').flatMap((part) => {
    const [, count, times = '1'] = /^(\d+)(?:\(x(\d+)\))?$/.exec(part) ?? []
    if (count === undefined) throw invalid(list, `"${part}" is no count`)
    return Array.from({ length: Number(times) }, () => Number(count))
  })
}
