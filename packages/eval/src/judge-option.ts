import { IftError } from '@ift/core'
import { JudgeClient, keyFor, ReplyCache } from './judge/index.js'

export interface JudgeOption {
  readonly judgeUrl?: string | undefined
  readonly judgeModel?: string | undefined
  readonly judgeConcurrency: number
}

/** Runs with the judge that a command line names, and its replies on disk; with undefined where it names none. */
export async function withJudge<T>(
  { judgeUrl: url, judgeModel: model, judgeConcurrency: concurrency }: JudgeOption,
  cachePath: string,
  run: (judge: JudgeClient | undefined) => Promise<T>,
): Promise<T> {
  if (url === undefined && model === undefined) return run(undefined)
  if (url === undefined || model === undefined)
    throw new IftError(
      'IFT_USAGE',
      url === undefined
        ? '--judge-url is missing beside --judge-model.'
        : '--judge-model is missing beside --judge-url.',
      'Name both: --judge-url http://127.0.0.1:8410/v1 --judge-model NAME',
    )
  const key = keyFor(url)
  const cache = await ReplyCache.open(cachePath)
  try {
    return await run(new JudgeClient({ url, model, concurrency, key, cache }))
  } finally {
    await cache.close()
  }
}
