import './empty.css'
import type { ComponentChildren } from 'preact'
import { Command } from './copy.js'

export interface EmptyProps {
  readonly title: string
  /** What will be here. */
  readonly text?: ComponentChildren
  readonly action?: ComponentChildren
  readonly command?: string
}

export function Empty({ title, text, action, command }: EmptyProps) {
  return (
    <div class="empty">
      <h2 class="empty-title">{title}</h2>
      {text !== undefined && <p class="empty-text">{text}</p>}
      {(action !== undefined || command !== undefined) && (
        <div class="empty-actions">
          {action}
          {command !== undefined && <Command text={command} />}
        </div>
      )}
    </div>
  )
}
