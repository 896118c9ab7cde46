import type { Backend } from '../backend.js'
import type { FloatDType } from '../dtype.js'
import { attentionCases } from './conformance/attention.js'
import { elementwiseCases } from './conformance/elementwise.js'
import { lossCases } from './conformance/loss.js'
import { memoryCases } from './conformance/memory.js'
import { normCases } from './conformance/norms.js'
import { optimizerCases } from './conformance/optimizer.js'
import { productCases } from './conformance/products.js'
import { int8Cases, quantizedCases } from './conformance/quantized.js'
import { recordedProductCases, recordingCases } from './conformance/recording.js'
import { rowCases } from './conformance/rows.js'
import { topRowCases } from './conformance/top-rows.js'

/** One thing to try on a backend that was opened for it. */
export interface KernelCase {
  readonly name: string
  readonly run: (backend: Backend) => Promise<void>
}

/** A case for a test runner: `for (const c of backendConformance(open)) it(c.name, c.run)`. */
export interface ConformanceCase {
  readonly name: string
  readonly run: () => Promise<void>
}

const dtypes: readonly FloatDType[] = ['f32', 'bf16', 'f16']

/**
 * Requirements of every backend: each kernel in each float dtype at awkward sizes agrees with the reference, the same
 * call gives the same bits, inputs stay as they are, no buffer is left, and wrong handles, short or freed buffers are
 * refused with an IftError. Every case opens a backend and closes it.
 */
export function backendConformance(open: () => Promise<Backend> | Backend): ConformanceCase[] {
  const cases: KernelCase[] = [...memoryCases(), ...recordingCases()]
  for (const dtype of dtypes) {
    cases.push(
      ...productCases(dtype),
      ...recordedProductCases(dtype),
      ...quantizedCases(dtype),
      ...int8Cases(dtype),
      ...normCases(dtype),
      ...attentionCases(dtype),
      ...elementwiseCases(dtype),
      ...rowCases(dtype),
      ...lossCases(dtype),
      ...topRowCases(dtype),
      ...optimizerCases(dtype),
    )
  }
  return cases.map(({ name, run }) => ({
    name,
    run: async () => {
      const backend = await open()
      try {
        await run(backend)
      } finally {
        backend.close()
      }
    },
  }))
}
