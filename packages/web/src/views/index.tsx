import type { ComponentType } from 'preact'
import type { View } from '../app/routes.js'
import { ChatRail } from './chat/rail.js'
import { ChatView } from './chat/view.js'
import { CompareRail } from './compare/rail.js'
import { CompareView } from './compare/view.js'
import { DataRail } from './data/rail.js'
import { DataView } from './data/view.js'
import { NewRunRail } from './new-run/rail.js'
import { NewRunView } from './new-run/view.js'
import { RunView } from './run/view.js'
import { RunsRail } from './runs/rail.js'
import { RunsView } from './runs/view.js'

/** What a view is given: the conversation, comparison, run or set of data that the address names. */
export interface ViewProps {
  readonly id: string | null
}

export const views: Readonly<Record<View, ComponentType<ViewProps>>> = {
  chat: ChatView,
  compare: CompareView,
  run: ({ id }: ViewProps) => <RunView key={id} id={id ?? ''} />,
  runs: RunsView,
  data: ({ id }: ViewProps) => <DataView {...(id !== null && { name: id })} />,
  new: NewRunView,
}

/** The lists in the rail. */
export const rails: Readonly<Record<View, ComponentType>> = {
  ...{ chat: ChatRail, compare: CompareRail, run: RunsRail, runs: RunsRail, data: DataRail, new: NewRunRail },
}
