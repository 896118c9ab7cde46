import './notice.css'
import type { ComponentChildren } from 'preact'
import { useState } from 'preact/hooks'
import { words } from '../app/language.js'
import { Icon } from './icon.js'

const text = words({
  en: { show: 'Show the log', hide: 'Hide the log' },
  zh: { show: '查看日志', hide: '收起日志' },
})

export interface NoticeProps {
  readonly kind?: 'error' | 'caution' | 'info'
  readonly title?: ComponentChildren
  readonly actions?: ComponentChildren
  /** Behind a click. */
  readonly log?: string | null | undefined
  /** Actions stand at the right end, not below. */
  readonly bar?: boolean
  readonly children?: ComponentChildren
}

/** What happened, with values, and what to do next; in the place that it is about. */
export function Notice({ kind = 'error', title, actions, log, bar, children }: NoticeProps) {
  const [isShown, setShown] = useState(false)
  return (
    <div
      class={`notice notice-${kind}${bar ? ' notice-bar' : ''}`}
      role={kind === 'error' ? 'alert' : 'status'}
    >
      <Icon name={kind === 'info' ? 'info' : 'warning'} />
      <div class="notice-inside">
        {title !== undefined && <strong class="notice-title">{title}</strong>}
        {children !== undefined && <div class="notice-text">{children}</div>}
        {(actions !== undefined || log) && (
          <div class="notice-actions">
            {actions}
            {log && (
              <button
                type="button"
                class="notice-log-button"
                aria-expanded={isShown}
                onClick={() => setShown(!isShown)}
              >
                {isShown ? text().hide : text().show}
              </button>
            )}
          </div>
        )}
        {isShown && log && <pre class="notice-log">{log}</pre>}
      </div>
    </div>
  )
}
