import { createDeadline, withDeadline } from '../lib/deadline.js'
import { unavailableError } from '../lib/unavailable.js'
import { STATE_METHODS, type StateContext, type StateStores } from '../ports/state-stores.js'

type Stores = Pick<StateStores, 'sessions' | 'oneTime' | 'counters'>

/**
 * Puts a time limit around every call of the stores. Whatever a method throws or rejects with
 * becomes a 503, so that neither a request nor background work depends on how a store fails. Logs
 * the first failure, and the first success after it.
 */
export function guardStores(stores: Stores, { timeoutMs, log }: StateContext): Stores {
  const deadline = createDeadline(timeoutMs)
  let isDown = false

  const failed = (cause: unknown) => {
    if (!isDown)
      log(
        'shared state is unreachable',
        cause instanceof Error ? cause : new Error('A state store failed'),
      )
    isDown = true
    return unavailableError(cause)
  }
  const succeeded = <T>(value: T): T => {
    if (isDown) log('shared state is reachable again')
    isDown = false
    return value
  }

  const guarded = <Kind extends keyof Stores>(kind: Kind): Stores[Kind] => {
    const store = stores[kind] as unknown as Record<string, (...given: unknown[]) => unknown>
    const calls = STATE_METHODS[kind].map((method) => {
      const name = String(method)
      const call = (...given: unknown[]) =>
        withDeadline(
          deadline,
          // Async, so that a method that throws at once rejects too.
          async () => succeeded(await store[name]?.(...given)),
          'The state store',
          failed,
        )
      return [name, call] as const
    })
    return Object.fromEntries(calls) as unknown as Stores[Kind]
  }

  return {
    sessions: guarded('sessions'),
    oneTime: guarded('oneTime'),
    counters: guarded('counters'),
  }
}
