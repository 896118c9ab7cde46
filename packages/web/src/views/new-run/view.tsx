import { TopBar } from '../../components/top-bar.js'

export function NewRunView() {
  return <TopBar title="NewRun" />
}
