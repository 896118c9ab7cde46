// @ts-check
// What the study trains: for every method its options, and three learning rates of which the one with the lowest training loss counts.
// That is the one in the middle, so that no higher or lower rate is better.

/**
 * @typedef {{ name: string, peft: Record<string, unknown>, rates: readonly [number, number, number], timed?: Record<string, unknown> }} Arm
 * `timed`: options of the few steps that are timed.
 */

const all = { targetModules: 'all-linear' }
const r16 = { r: 16, alpha: 32, dropout: 0, ...all }
const bottleneck = /** @type {const} */ ([8e-3, 1.6e-2, 3.2e-2])

/** @type {readonly Arm[]} */
export const arms = [
  { name: 'all parameters', peft: { method: 'none' }, rates: [5e-4, 1e-3, 2e-3] },
  { name: 'LoRA', peft: { method: 'lora', ...r16 }, rates: [2e-3, 4e-3, 8e-3] },
  { name: 'DoRA', peft: { method: 'lora', ...r16, dora: true }, rates: [4e-3, 8e-3, 1.6e-2] },
  { name: 'LoRA from PiSSA', peft: { method: 'lora', ...r16, init: 'pissa' }, rates: [1e-3, 2e-3, 4e-3] },
  { name: 'LoRA from OLoRA', peft: { method: 'lora', ...r16, init: 'olora' }, rates: [5e-4, 1e-3, 2e-3] },
  {
    name: 'AdaLoRA',
    peft: {
      method: 'adalora',
      initR: 24,
      targetR: 16,
      alpha: 32,
      dropout: 0,
      tinit: 25,
      tfinal: 100,
      deltaT: 5,
      ...all,
    },
    rates: [8e-3, 1.6e-2, 3.2e-2],
    // Of the twelve steps that are timed the budget is at its end after three.
    timed: { tinit: 1, tfinal: 9, deltaT: 1 },
  },
  { name: 'VeRA', peft: { method: 'vera', r: 128, dropout: 0, ...all }, rates: [1e-1, 2e-1, 4e-1] },
  { name: '(IA)³', peft: { method: 'ia3' }, rates: [1e-1, 2e-1, 4e-1] },
  { name: 'LayerNorm tuning', peft: { method: 'ln-tuning' }, rates: [1e-1, 2e-1, 4e-1] },
  { name: 'Houlsby adapters', peft: { method: 'houlsby' }, rates: bottleneck },
  { name: 'Pfeiffer adapters', peft: { method: 'pfeiffer' }, rates: bottleneck },
  { name: 'parallel adapters', peft: { method: 'parallel' }, rates: [2e-3, 4e-3, 8e-3] },
  {
    name: 'bottleneck (Alpaca-CoT)',
    peft: { method: 'bottleneck', bottleneckSize: 64 },
    rates: [4e-3, 8e-3, 1.6e-2],
  },
  { name: 'prompt tuning', peft: { method: 'prompt-tuning', virtualTokens: 32 }, rates: [3, 10, 30] },
  { name: 'P-tuning', peft: { method: 'p-tuning', virtualTokens: 32 }, rates: [3e-3, 1e-2, 3e-2] },
  {
    name: 'prefix tuning (P-tuning v2)',
    peft: { method: 'prefix-tuning', virtualTokens: 32 },
    rates: [1e-1, 3e-1, 1],
  },
  {
    name: 'prefix tuning, projected',
    peft: { method: 'prefix-tuning', virtualTokens: 32, projection: true },
    rates: [1e-2, 3e-2, 1e-1],
  },
]
