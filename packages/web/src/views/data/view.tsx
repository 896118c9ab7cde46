import { TopBar } from '../../components/top-bar.js'

export function DataView({ name }: { readonly name?: string }) {
  return <TopBar title={name ?? 'Data'} />
}
