import './select.css'
import { useRef, useState } from 'preact/hooks'
import { words } from '../app/language.js'
import { Icon } from './icon.js'
import { Picker } from './picker.js'
import { Popover } from './popover.js'
import type { Option } from './segmented.js'

const text = words({ en: { choose: 'Choose' }, zh: { choose: '选择' } })

export interface SelectProps<T extends string> {
  readonly label: string
  readonly options: readonly Option<T>[]
  readonly value: T | null
  readonly onChange: (value: T) => void
  /** With a field that narrows the list. */
  readonly search?: boolean
  readonly placeholder?: string
  readonly id?: string
  readonly describedBy?: string | undefined
  readonly small?: boolean
  readonly quiet?: boolean
}

/** A choice of many. */
export function Select<T extends string>(props: SelectProps<T>) {
  const { label, options, value, onChange, search, placeholder, id, describedBy, small, quiet } = props
  const button = useRef<HTMLButtonElement>(null)
  const [open, setOpen] = useState(false)
  const chosen = options.find((option) => option.value === value)
  return (
    <>
      <button
        ref={button}
        type="button"
        id={id}
        class={`select${small ? ' select-small' : ''}${quiet ? ' select-quiet' : ''}`}
        role="combobox"
        aria-haspopup="listbox"
        aria-expanded={open}
        // A combobox is not named by what is in it.
        aria-label={`${label}: ${chosen?.text ?? placeholder ?? text().choose}${chosen?.note ?? ''}`}
        aria-describedby={describedBy}
        onClick={() => setOpen(!open)}
        onKeyDown={(event) => {
          if (event.key !== 'ArrowDown' && event.key !== 'ArrowUp') return
          event.preventDefault()
          setOpen(true)
        }}
      >
        <span class="select-text">
          {chosen?.text ?? <span class="select-none">{placeholder ?? text().choose}</span>}
          {chosen?.note && <span class="select-note">{chosen.note}</span>}
        </span>
        <Icon name="chevron-down" />
      </button>
      {open && (
        <Popover anchor={button.current!} label={label} onClose={() => setOpen(false)} fit>
          <Picker
            label={label}
            items={options.map((option) => ({ ...option, key: option.value }))}
            current={value}
            search={search ?? options.length > 12}
            onPick={(key) => {
              setOpen(false)
              onChange(key as T)
              button.current?.focus()
            }}
          />
        </Popover>
      )}
    </>
  )
}
