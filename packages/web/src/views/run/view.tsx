import { TopBar } from '../../components/top-bar.js'

export function RunView({ id }: { readonly id: string }) {
  return <TopBar title={id} />
}
