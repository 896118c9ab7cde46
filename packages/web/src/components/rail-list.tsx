import './rail-list.css'
import type { ComponentChildren } from 'preact'
import { useState } from 'preact/hooks'
import { useKeys } from '../app/keys.js'
import { languageOf, words } from '../app/language.js'
import { closeList } from '../app/list-sheet.js'
import { IconButton } from './button.js'
import { TextInput } from './field.js'

const text = words({ en: { search: 'Search' }, zh: { search: '搜索' } })

export interface RailListProps {
  readonly title: string
  /** Narrows the list; called with an empty text when the field closes. */
  readonly onSearch?: (wanted: string) => void
  /** Beside the title: a menu. */
  readonly beside?: ComponentChildren
  readonly children?: ComponentChildren
}

/** A list of the view in the rail. */
export function RailList({ title, onSearch, beside, children }: RailListProps) {
  const [wanted, setWanted] = useState<string | null>(null)
  const search = (value: string | null) => {
    setWanted(value)
    onSearch?.(value ?? '')
  }
  useKeys(onSearch ? { '/': () => search('') } : {})
  return (
    <section class="rail-list" aria-label={title}>
      <header class="rail-list-head">
        <h2 class="rail-list-title">{title}</h2>
        {beside}
        {onSearch && (
          <IconButton
            icon="search"
            label={text().search}
            keys="/"
            pressed={wanted !== null}
            onClick={() => search(wanted === null ? '' : null)}
          />
        )}
      </header>
      {wanted !== null && (
        <div class="rail-list-search">
          <TextInput
            autoFocus
            label={text().search}
            placeholder={text().search}
            value={wanted}
            onInput={search}
            onKeyDown={(event) => {
              if (event.key === 'Escape') search(null)
            }}
          />
        </div>
      )}
      <ul class="rail-list-items">{children}</ul>
    </section>
  )
}

export interface RailItemProps {
  readonly href: string
  readonly text: string
  readonly current?: boolean
  /** A second line. */
  readonly note?: string
  /** In front: a dot, an icon. */
  readonly before?: ComponentChildren
}

export function RailItem({ href, text: name, current, note, before }: RailItemProps) {
  return (
    <li>
      <a
        class="rail-item"
        href={href}
        aria-current={current ? 'page' : undefined}
        title={name}
        onClick={closeList}
      >
        <span class="rail-item-name">
          {before}
          <span class="rail-item-text" lang={languageOf(name)}>
            {name}
          </span>
        </span>
        {note !== undefined && <span class="rail-item-note">{note}</span>}
      </a>
    </li>
  )
}
