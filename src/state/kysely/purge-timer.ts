/**
 * Purges at an interval, while at least one app uses the state. The timer doesn't keep the process
 * alive, and a purge that fails is reported and tried again at the next interval.
 */
export function createPurgeTimer(
  purge: (isWanted: () => boolean) => Promise<number>,
  seconds: number,
) {
  let users = 0
  let timer: NodeJS.Timeout | undefined
  let isRunning = false

  return (log: (message: string, cause?: Error) => void): (() => void) => {
    if (seconds === 0) return () => {}
    users += 1
    timer ??= setInterval(() => {
      if (isRunning) return
      isRunning = true
      purge(() => users > 0)
        .catch((cause: Error) => log('could not purge expired state', cause))
        .finally(() => {
          isRunning = false
        })
    }, seconds * 1000).unref()
    let isStopped = false
    return () => {
      if (isStopped) return
      isStopped = true
      users -= 1
      if (users > 0) return
      clearInterval(timer)
      timer = undefined
    }
  }
}
