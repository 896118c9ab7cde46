import './panel.css'
import type { ComponentChildren } from 'preact'
import { useId } from 'preact/hooks'

export interface PanelProps {
  readonly title?: ComponentChildren
  /** Behind the title, fainter: what it is measured in. */
  readonly caption?: ComponentChildren
  /** At the right end of the head. */
  readonly beside?: ComponentChildren
  /** The name where there is no title. */
  readonly label?: string
  readonly class?: string
  /** Without padding at the sides: tables and lists. */
  readonly flush?: boolean
  readonly children?: ComponentChildren
}

export function Panel({ title, caption, beside, label, class: more, flush, children }: PanelProps) {
  const id = useId()
  return (
    <section
      class={`panel${flush ? ' panel-flush' : ''}${more === undefined ? '' : ` ${more}`}`}
      aria-label={title === undefined ? label : undefined}
      aria-labelledby={title === undefined ? undefined : id}
    >
      {(title !== undefined || beside !== undefined) && (
        <header class="panel-head">
          <h2 class="panel-title" id={id}>
            {title}
          </h2>
          {caption !== undefined && <span class="panel-caption">{caption}</span>}
          <span class="panel-space" />
          {beside}
        </header>
      )}
      <div class="panel-body">{children}</div>
    </section>
  )
}
