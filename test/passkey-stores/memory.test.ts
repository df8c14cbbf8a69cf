import { memoryPasskeys } from '../../src/index.js'
import { passkeyStoreConformance } from '../../src/testing/passkey-store.js'

passkeyStoreConformance(() => memoryPasskeys(), { name: 'memory' })
passkeyStoreConformance(() => memoryPasskeys(), {
  name: 'memory, ids as text',
  users: ['1', '2', 'a', 'A'],
})
passkeyStoreConformance(() => memoryPasskeys(), {
  name: 'memory, ids as bigint',
  users: [1n, 2n, 2n ** 63n - 1n, 4n],
})
