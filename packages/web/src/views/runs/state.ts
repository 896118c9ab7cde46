import type { RunRow, RunState } from '../../api/types.js'
import { words } from '../../app/language.js'
import type { PillState } from '../../components/state-pill.js'

const text = words({
  en: { starting: 'Starting', failedAt: (step: number) => `Failed at ${step}`, unreadable: 'Not readable' },
  zh: { starting: '启动中', failedAt: (step) => `在第 ${step} 步失败`, unreadable: '无法读取' },
})

const pills: Readonly<Record<RunState, PillState>> = {
  ...{ starting: 'queued', training: 'training', stopping: 'stopping', stopped: 'stopped' },
  ...{ done: 'done', failed: 'failed', unreadable: 'failed' },
}

/** The pill of a run. */
export function pillOf(
  run: Pick<RunRow, 'state' | 'step'>,
  isLost = false,
): { state: PillState; text?: string } {
  if (isLost) return { state: 'reconnecting' }
  const state = pills[run.state]
  if (run.state === 'starting') return { state, text: text().starting }
  if (run.state === 'unreadable') return { state, text: text().unreadable }
  if (run.state === 'failed' && run.step !== null) return { state, text: text().failedAt(run.step) }
  return { state }
}

export const isLive = ({ state }: Pick<RunRow, 'state'>): boolean =>
  state === 'training' || state === 'stopping' || state === 'starting'
