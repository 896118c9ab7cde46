import type { FloatDType } from '../../dtype.js'
import { compare, numbers } from '../compare.js'
import type { KernelCase } from '../conformance.js'

export const lossCases = (dtype: FloatDType): KernelCase[] => [
  {
    name: `crossEntropy ${dtype}`,
    run: async (backend) => {
      for (const [vocab, labels] of [
        [2, [0]],
        [63, [62, -100, 0]],
        [65, [-1, -1]],
        [32003, [32002, 5, -100]],
      ] as const) {
        const rows = labels.length
        for (const gradDtype of new Set([dtype, 'bf16', 'f32'] as const)) {
          for (const where of ['none', 'apart', 'in place'] as const) {
            if (where === 'in place' && gradDtype !== dtype) continue
            await compare(
              `crossEntropy ${rows}×${vocab}, grad ${where} in ${gradDtype}`,
              backend,
              {
                loss: { dtype: 'f32', values: numbers(rows, 1), out: 'f32' },
                grad: { dtype: gradDtype, values: numbers(rows * vocab, 2), out: gradDtype },
                logits: {
                  dtype,
                  values: numbers(rows * vocab, 3).map((v) => v * 20),
                  ...(where === 'in place' ? { out: dtype } : {}),
                },
                labels: { dtype: 'i32', values: labels },
              },
              (kernels, b) =>
                kernels.crossEntropy(
                  b.loss,
                  where === 'none' ? null : where === 'apart' ? b.grad : b.logits,
                  b.logits,
                  b.labels,
                  { rows, vocab, gradScale: 0.5, dtype, gradDtype },
                ),
            )
          }
        }
      }
    },
  },
]
