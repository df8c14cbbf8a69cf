/** Runs `work` after earlier work with one of the same keys. */
type InOrder = <T>(
  keys: readonly string[],
  work: () => Promise<T>,
  /** When it resolves, later work no longer waits. */
  given: Promise<unknown>,
) => Promise<T>

const ignore = () => undefined

/**
 * Work of this process on the same rows takes turns here instead of waiting for row locks. Waiting
 * in the database would occupy the connections of the app's pool. The database still decides
 * between processes.
 */
export function createInOrder(): InOrder {
  const latest = new Map<string, Promise<unknown>>()
  return (keys, work, given) => {
    const earlier = keys.flatMap((key) => latest.get(key) ?? [])
    const turn = earlier.length === 0 ? work() : Promise.all(earlier).then(work)
    const ended = Promise.race([turn.catch(ignore), given])
    for (const key of keys) latest.set(key, ended)
    void ended.then(() => {
      for (const key of keys) if (latest.get(key) === ended) latest.delete(key)
    })
    return turn
  }
}
