import './picker.css'
import type { ComponentChildren } from 'preact'
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'
import { words } from '../app/language.js'
import { Icon } from './icon.js'

const text = words({
  en: { nothing: 'Nothing has this in its name.' },
  zh: { nothing: '没有匹配的名称。' },
})

export interface PickerItem {
  readonly key: string
  readonly text: string
  /** A second line. */
  readonly note?: string | undefined
  /** A heading that it stands under; named by the first item of each. */
  readonly group?: string
  readonly indent?: boolean
  readonly off?: boolean
  readonly before?: ComponentChildren
}

export interface PickerProps {
  readonly label: string
  readonly items: readonly PickerItem[]
  readonly current?: string | null
  readonly search?: boolean
  readonly placeholder?: string
  readonly onPick: (key: string) => void
  readonly foot?: ComponentChildren
}

/** A list to choose from: arrows move, Enter takes, letters narrow it where there is a field. */
export function Picker({ label, items, current = null, search, placeholder, onPick, foot }: PickerProps) {
  const [filter, setFilter] = useState('')
  const wanted = filter.trim().toLowerCase()
  const shown = items.filter((item) => `${item.text} ${item.note ?? ''}`.toLowerCase().includes(wanted))
  const [at, setAt] = useState(
    Math.max(
      0,
      items.findIndex(({ key }) => key === current),
    ),
  )
  const active = shown[Math.min(at, shown.length - 1)]
  const list = useRef<HTMLUListElement>(null)
  useEffect(() => {
    list.current?.querySelector('[data-active]')?.scrollIntoView({ block: 'nearest' })
  }, [active?.key])
  // Before the first keys behind a click.
  useLayoutEffect(() => {
    if (!search) list.current?.focus()
  }, [])
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.isComposing) return
    const by = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0
    if (by !== 0) {
      event.preventDefault()
      setAt((Math.min(at, shown.length - 1) + by + shown.length) % Math.max(1, shown.length))
    } else if (event.key === 'Enter' || (event.key === ' ' && !search)) {
      event.preventDefault()
      if (active && !active.off) onPick(active.key)
    }
  }
  const id = (key: string) => `pick-${key.replace(/\W/g, '_')}`
  return (
    <div class="picker" onKeyDown={onKeyDown}>
      {search && (
        <span class="input-with-icon picker-search">
          <input
            class="input input-search"
            type="text"
            role="combobox"
            aria-expanded="true"
            aria-controls="picker-list"
            aria-activedescendant={active && id(active.key)}
            aria-label={label}
            placeholder={placeholder ?? label}
            autocomplete="off"
            spellcheck={false}
            ref={(field) => {
              if (field && document.activeElement !== field && !field.dataset['focused']) {
                field.dataset['focused'] = 'true'
                field.focus()
              }
            }}
            value={filter}
            onInput={(event) => {
              setFilter((event.target as HTMLInputElement).value)
              setAt(0)
            }}
          />
          <Icon name="search" />
        </span>
      )}
      <ul
        ref={list}
        id="picker-list"
        class="picker-list"
        role="listbox"
        aria-label={label}
        tabIndex={search ? -1 : 0}
        aria-activedescendant={active && id(active.key)}
      >
        {shown.map((item, i) => (
          <>
            {item.group !== undefined && item.group !== shown[i - 1]?.group && (
              <li key={`group ${item.group}`} class="picker-group" role="presentation">
                {item.group}
              </li>
            )}
            <li
              key={item.key}
              id={id(item.key)}
              class={`picker-item${item.indent ? ' picker-indent' : ''}`}
              role="option"
              aria-selected={item.key === current}
              aria-disabled={item.off ? true : undefined}
              data-active={item === active ? '' : undefined}
              onMouseMove={() => setAt(i)}
              onClick={() => {
                if (!item.off) onPick(item.key)
              }}
            >
              {item.before}
              <span class="picker-text">
                <span class="picker-name">{item.text}</span>
                {item.note && <span class="picker-note">{item.note}</span>}
              </span>
              {item.key === current && <Icon name="check" />}
            </li>
          </>
        ))}
      </ul>
      {shown.length === 0 && <p class="picker-nothing">{text().nothing}</p>}
      {foot && <div class="picker-foot">{foot}</div>}
    </div>
  )
}
