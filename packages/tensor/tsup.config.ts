import { packageBuild } from '../../tsup.base.js'

export default packageBuild({
  entry: {
    index: 'src/index.ts',
    counting: 'src/counting/index.ts',
    native: 'src/native/index.ts',
    reference: 'src/reference/index.ts',
    testing: 'src/testing/index.ts',
  },
})
