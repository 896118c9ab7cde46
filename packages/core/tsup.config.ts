import { packageBuild } from '../../tsup.base.js'

export default packageBuild({
  entry: { index: 'src/index.ts', model: 'src/model/index.ts', testing: 'src/testing/index.ts' },
})
