import './top-bar.css'
import type { ComponentChildren } from 'preact'
import { words } from '../app/language.js'
import { isPhone } from '../app/width.js'
import { openList } from '../app/list-sheet.js'
import { Icon } from './icon.js'
import { IconButton } from './button.js'
import { ConnectionBar } from './connection-bar.js'

const text = words({
  en: { back: 'Back', list: 'List of this view', where: 'Where this is' },
  zh: { back: '返回', list: '本页列表', where: '当前位置' },
})

export interface TopBarProps {
  /** The heading of the page. */
  readonly title: ComponentChildren
  /** Its name for readers of screens, where the title is a control. */
  readonly name?: string
  readonly crumbs?: readonly { readonly text: string; readonly href: string }[]
  /** Behind the title: a pill, a caption. */
  readonly beside?: ComponentChildren
  readonly actions?: ComponentChildren
  /** Where a phone goes back to; the list of the view opens instead when absent. */
  readonly back?: string
  /** The bar below: what says that the server does not answer when absent. */
  readonly bar?: ComponentChildren
}

export function TopBar({
  title,
  name,
  crumbs = [],
  beside,
  actions,
  back,
  bar = <ConnectionBar />,
}: TopBarProps) {
  return (
    <>
      <header class="top-bar">
        {isPhone.value &&
          (back === undefined ? (
            <IconButton icon="menu" label={text().list} onClick={openList} />
          ) : (
            <a class="icon-button" href={back} aria-label={text().back}>
              <Icon name="chevron-left" size={20} />
            </a>
          ))}
        {crumbs.length > 0 && !isPhone.value && (
          <nav class="top-bar-crumbs" aria-label={text().where}>
            {crumbs.map((crumb) => (
              <a key={crumb.href} href={crumb.href}>
                {crumb.text} /
              </a>
            ))}
          </nav>
        )}
        {name === undefined ? (
          <h1 class="top-bar-title">{title}</h1>
        ) : (
          <>
            <h1 class="for-readers">{name}</h1>
            {title}
          </>
        )}
        {beside !== undefined && <div class="top-bar-beside">{beside}</div>}
        <span class="top-bar-space" />
        {actions !== undefined && <div class="top-bar-actions">{actions}</div>}
      </header>
      {bar}
    </>
  )
}
