import './notice.css'
import type { ComponentChildren } from 'preact'
import { useState } from 'preact/hooks'
import { faultTitle, type Fault } from '../app/faults.js'
import { language, words } from '../app/language.js'
import { Icon } from './icon.js'

const text = words({
  en: { show: 'Show the log', hide: 'Hide the log', details: 'What the server said' },
  zh: { show: '查看日志', hide: '收起日志', details: '服务的原话（英文）' },
})

export interface NoticeProps {
  readonly kind?: 'error' | 'caution' | 'info'
  readonly title?: ComponentChildren
  /** What went wrong; it is the title where there is no other. */
  readonly fault?: Fault | null | undefined
  readonly actions?: ComponentChildren
  /** Behind a click. */
  readonly log?: string | null | undefined
  /** Actions stand at the right end, not below. */
  readonly bar?: boolean
  readonly children?: ComponentChildren
}

/** What happened, with values, and what to do next; in the place that it is about. */
export function Notice({ kind = 'error', title, fault, actions, log, bar, children }: NoticeProps) {
  const [isShown, setShown] = useState(false)
  return (
    <div
      class={`notice notice-${kind}${bar ? ' notice-bar' : ''}`}
      role={kind === 'error' ? 'alert' : 'status'}
    >
      <Icon name={kind === 'info' ? 'info' : 'warning'} />
      <div class="notice-inside">
        {(title !== undefined || fault) && (
          <strong class="notice-title">{title ?? faultTitle(fault!)}</strong>
        )}
        {(children !== undefined || fault) && (
          <div class="notice-text">
            {fault && <FaultText fault={fault} isTitled={title === undefined} />}
            {children}
          </div>
        )}
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

/** What went wrong: in the page's own words, with those of the server, which are English, behind a fold on a page in another language. */
export function FaultText({ fault, isTitled }: { readonly fault: Fault; readonly isTitled?: boolean }) {
  const { message, hint } = fault
  const own = (
    <>
      {message}
      {hint && <p>{hint}</p>}
    </>
  )
  if (language.value === 'en') return own
  return (
    <>
      {!isTitled && faultTitle(fault)}
      <details class="notice-detail">
        <summary>{text().details}</summary>
        <div lang="en">{own}</div>
      </details>
    </>
  )
}
