import './state-pill.css'
import { words } from '../app/language.js'
import { Icon, type IconName } from './icon.js'

export type PillState = 'queued' | 'training' | 'stopping' | 'stopped' | 'done' | 'failed' | 'reconnecting'

const text = words({
  en: {
    ...{ queued: 'Queued', training: 'Training', stopping: 'Stopping', stopped: 'Stopped' },
    ...{ done: 'Done', failed: 'Failed', reconnecting: 'Reconnecting' },
  },
  zh: {
    ...{ queued: '排队中', training: '训练中', stopping: '停止中', stopped: '已停止' },
    ...{ done: '完成', failed: '失败', reconnecting: '重新连接中' },
  },
})

const icons: Readonly<Record<PillState, IconName>> = {
  ...{ queued: 'dot', training: 'dot', stopping: 'stop', stopped: 'stop' },
  ...{ done: 'check', failed: 'warning', reconnecting: 'warning' },
}

/** The state of a run: icon, word and tint. `text` stands instead of the name of the state ("Failed at 4"). */
export function StatePill({ state, text: own }: { readonly state: PillState; readonly text?: string }) {
  return (
    <span class={`state-pill state-pill-${state}`}>
      <Icon name={icons[state]} size={12} />
      {own ?? text()[state]}
    </span>
  )
}
