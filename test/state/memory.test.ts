import { memoryState } from '../../src/state/memory/index.js'
import { counterStoreConformance } from '../../src/testing/counter-store.js'
import { oneTimeStoreConformance } from '../../src/testing/one-time-store.js'
import { sessionStoreConformance } from '../../src/testing/session-store.js'

sessionStoreConformance(() => ({ store: memoryState().sessions }), { name: 'memory sessions' })
oneTimeStoreConformance(() => ({ store: memoryState().oneTime }), {
  name: 'memory one-time values',
})
counterStoreConformance(() => ({ store: memoryState().counters }), { name: 'memory counters' })
