/** An operation exceeded its time limit. */
class DeadlineError extends Error {
  readonly code = 'CRUDAUTH_DEADLINE'

  constructor(what: string, milliseconds: number) {
    super(`${what} did not answer within ${milliseconds} ms`)
    this.name = 'DeadlineError'
  }
}

/**
 * A pending wait, in a linked list ordered by start. A class, because V8 may allocate literals in
 * old space if many of them survive. There, an ended wait would hold on to its promise and the
 * result until a full garbage collection.
 */
class Wait {
  next: Wait | null = null

  constructor(
    readonly endsAtMs: number,
    readonly expire: () => void,
    public previous: Wait | null,
  ) {}
}

/** A time limit shared by many waits. */
export interface Deadline {
  readonly milliseconds: number
  /** Begins a wait. Calls `expire` unless `end` is called in time. */
  begin(expire: () => void): Wait
  /** Ends a wait. Does nothing if it has expired or ended. */
  end(wait: Wait): void
}

/**
 * Creates a time limit. Waits of the same length expire in the order in which they began, so one
 * timer and one linked list serve them all. A timer for each wait would be set and cleared several
 * times per request, which costs more than the request's hashing.
 */
export function createDeadline(milliseconds: number): Deadline {
  let first: Wait | null = null
  let last: Wait | null = null
  let timer: NodeJS.Timeout | undefined

  const remove = (wait: Wait): boolean => {
    const { previous, next } = wait
    if (previous === null && first !== wait) return false
    if (previous) previous.next = next
    else first = next
    if (next) next.previous = previous
    else last = previous
    wait.previous = null
    wait.next = null
    return true
  }

  const expireDue = () => {
    timer = undefined
    const now = performance.now()
    for (let wait = first; wait; wait = first) {
      if (wait.endsAtMs > now) {
        timer = setTimeout(expireDue, Math.ceil(wait.endsAtMs - now))
        return
      }
      remove(wait)
      wait.expire()
    }
  }

  return {
    milliseconds,
    begin(expire) {
      const wait = new Wait(performance.now() + milliseconds, expire, last)
      if (last) last.next = wait
      else first = wait
      last = wait
      if (!timer) timer = setTimeout(expireDue, milliseconds)
      else if (first === wait) timer.ref()
      return wait
    },
    end(wait) {
      // Keep the timer for the next wait, but don't let it keep the process alive.
      if (remove(wait) && first === null) timer?.unref()
    },
  }
}

/**
 * Runs `start` with a time limit. Rejects with `failure(cause)`, where the cause is the error of
 * `start` or a `DeadlineError`. Later results are ignored. Later rejections are handled as well,
 * because an unhandled one would end the process.
 */
export function withDeadline<T>(
  deadline: Deadline,
  start: () => Promise<T>,
  what: string,
  failure: (cause: unknown) => unknown,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const wait = deadline.begin(() =>
      reject(failure(new DeadlineError(what, deadline.milliseconds))),
    )
    const succeeded = (value: T) => {
      deadline.end(wait)
      resolve(value)
    }
    const failed = (cause: unknown) => {
      deadline.end(wait)
      reject(failure(cause))
    }
    try {
      start().then(succeeded, failed)
    } catch (cause) {
      failed(cause)
    }
  })
}
