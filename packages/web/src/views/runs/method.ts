import type { RunRow } from '../../api/types.js'

const known: Readonly<Record<string, string>> = {
  ...{
    lora: 'LoRA',
    dora: 'DoRA',
    rslora: 'rsLoRA',
    loraplus: 'LoRA+',
    pissa: 'PiSSA',
    vera: 'VeRA',
    none: 'full',
  },
  ...{ adalora: 'AdaLoRA', ia3: 'IA³', prefix: 'prefix', ptuning: 'P-tuning' },
}

/** A method as its papers write it. */
export const methodName = (method: string): string => known[method] ?? method

/** `LoRA r 8`; null without a method. */
export const methodOf = ({ method, rank }: Pick<RunRow, 'method' | 'rank'>): string | null =>
  method === null ? null : rank === null ? methodName(method) : `${methodName(method)} r ${rank}`
