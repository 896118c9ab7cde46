import type { Tensor } from '@ift/tensor'
import type { StepResult } from '../contract/train.js'

/** One step as the loop knows it: its numbers, and how many ranks want to end. */
export interface QueuedStep {
  readonly result: StepResult
  readonly wishes: Promise<readonly number[]>
}

/** Numbers of a step on the device, each f32 [1]. */
export interface DeviceNumbers {
  /** With the penalty, where there is one. */
  readonly loss: Tensor
  readonly penalty: Tensor | null
  readonly squaredNorm: Tensor
  /** f32 [wishes] of all ranks, or those of a process that trains alone. */
  readonly wishes: Tensor | readonly number[]
}

/** Asks for the numbers of a step now, so that they are queued before the kernels of later steps, and frees their tensors. */
export function queuedStep(
  facts: Omit<StepResult, 'loss' | 'penalty' | 'gradientNorm'>,
  { loss, penalty, squaredNorm, wishes }: DeviceNumbers,
): QueuedStep {
  const lossValue = readNumber(loss)
  const penaltyValue = penalty && readNumber(penalty)
  const normValue = readNumber(squaredNorm)
  const wishValues = 'read' in wishes ? unwatched(readOnce(wishes).then((values) => [...values])) : wishes
  return {
    result: {
      ...facts,
      loss: () => lossValue,
      ...(penaltyValue && { penalty: () => penaltyValue }),
      gradientNorm: async () => Math.sqrt(await normValue),
    },
    wishes: Promise.resolve(wishValues),
  }
}

const readNumber = (tensor: Tensor): Promise<number> =>
  unwatched(readOnce(tensor).then((values) => values[0]!))

/** A later read gets the error; a rejection that is never read must not end the process. */
function unwatched<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined)
  return promise
}

async function readOnce(tensor: Tensor): Promise<Float32Array> {
  try {
    return await tensor.read()
  } finally {
    tensor.release()
  }
}
