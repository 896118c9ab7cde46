import type { Backend, BlockKernels, Kernels } from '../backend.js'
import { blockSizes, type BlockFormat } from '../quantization.js'
import { CountedMemory } from './memory.js'
import { deviceRules } from './device-rules.js'

/** Every kernel, by name: the type says when one is missing. */
const names: Readonly<Record<keyof Kernels, true>> = {
  gemm: true,
  lowRank: true,
  lowRankBackward: true,
  sumRows: true,
  quantize: true,
  dequantize: true,
  quantizedProduct: true,
  rmsNorm: true,
  rmsNormBackward: true,
  layerNorm: true,
  layerNormBackward: true,
  attention: true,
  attentionBackward: true,
  attentionPaged: true,
  rope: true,
  swiglu: true,
  swigluBackward: true,
  unary: true,
  unaryBackward: true,
  fill: true,
  axpby: true,
  mul: true,
  scaleColumns: true,
  scaleColumnsBackward: true,
  rowNorms: true,
  cast: true,
  dropout: true,
  random: true,
  copy2d: true,
  gatherRows: true,
  scatterRows: true,
  crossEntropy: true,
  topRows: true,
  squaredNorm: true,
  clipFactor: true,
  adamw: true,
  lion: true,
  adafactor: true,
}

/** Those of kernels-cpu. */
const blocks: BlockKernels = {
  formats: Object.keys(blockSizes) as BlockFormat[],
  gatherRows: () => undefined,
}

/**
 * A backend that computes nothing and holds nothing: its buffers are sizes, its kernels return at once, and what is read is
 * zero. What runs on it is counted by `memory()` as the device of `kind` would count it, workspaces of its kernels included:
 * the memory of a run, by its own code, before there is any. `reserved` is the most that the device needed for its blocks so far.
 */
export function countingBackend(kind = 'cpu'): Backend {
  const { workspaces, blockOf } = deviceRules(kind)
  const memory = new CountedMemory(blockOf)
  const workspaceOf = workspaces as Readonly<Record<string, ((...args: unknown[]) => number) | undefined>>
  const none = () => undefined
  const kernels = Object.fromEntries(
    Object.keys(names).map((name) => {
      const workspace = workspaceOf[name]
      if (workspace === undefined) return [name, none]
      const counted = (...args: unknown[]) => {
        memory.through(workspace(...args))
      }
      return [name, counted]
    }),
  ) as unknown as Kernels
  return {
    ...kernels,
    name: 'counting',
    comm: null,
    ...(kind === 'cpu' && { blocks, int8Products: true }),
    device: {
      kind: 'counting',
      index: 0,
      description: 'sizes of buffers, without contents',
      preferredDtype: 'f32',
      threads: 1,
    },
    alloc: (bytes) => memory.alloc(bytes),
    view: (base, byteOffset, bytes) => memory.view(base, byteOffset, bytes),
    mapFile: (_path, _offset, bytes) => memory.alloc(bytes, true),
    free: (buf) => {
      memory.free(buf)
    },
    write: none,
    read: (_src, dst) => {
      new Uint8Array(dst.buffer, dst.byteOffset, dst.byteLength).fill(0)
      return Promise.resolve()
    },
    synchronize: () => Promise.resolve(),
    memory: () => memory.info(),
    resetPeak: () => {
      memory.resetPeak()
    },
    close: () => {
      memory.close()
    },
  }
}
