import './tag.css'
import type { ComponentChildren } from 'preact'

/** A fact in few letters: `Lang EN`. */
export function Tag({ name, value }: { readonly name?: string; readonly value: ComponentChildren }) {
  return (
    <span class="tag">
      {name !== undefined && <span class="tag-name">{name} </span>}
      {value}
    </span>
  )
}
