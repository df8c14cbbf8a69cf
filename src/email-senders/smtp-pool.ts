/** An email was not accepted. What the server said stays out of it: servers repeat addresses, and log-ins. */
export class SmtpError extends Error {
  readonly code: string
  /** Reply code of the server, such as 550. */
  readonly responseCode: number | undefined
  /** The server refused this recipient or message; it would do so again. */
  readonly permanent: boolean

  constructor(message: string, code: string, responseCode?: number, permanent = false) {
    super(message)
    this.name = 'SmtpError'
    this.code = code
    this.responseCode = responseCode
    this.permanent = permanent
  }
}

/** A pool of connections of nodemailer's. */
export interface SmtpTransport {
  sendMail(message: object): Promise<unknown>
  close(options?: { force: boolean }): void
}

interface Pool {
  readonly transport: SmtpTransport
  /** Messages under way. */
  active: number
  retired: boolean
}

/**
 * Sends by one pool after another. Nodemailer gives a connection up when it is silent, and not when it is busy for ever: the
 * pool of such a one takes no more messages, and is closed by force when the others that it has are done.
 * @param milliseconds how long one message may take
 */
export function createPool(connect: () => SmtpTransport, milliseconds: number) {
  const begin = (): Pool => ({ transport: connect(), active: 0, retired: false })
  let current = begin()
  const open = new Set([current])
  let closed = false

  const end = (pool: Pool) => {
    open.delete(pool)
    pool.transport.close({ force: true })
  }
  const retire = (pool: Pool) => {
    pool.retired = true
    if (pool !== current || closed) return
    current = begin()
    open.add(current)
  }

  return {
    /** @throws SmtpError when it takes too long or the pool is closed; what nodemailer throws */
    async send(message: object): Promise<void> {
      // A closed pool of nodemailer 8 never answers.
      if (closed) throw new SmtpError('The sender is closed', 'ECLOSED')
      const pool = current
      pool.active++
      let timer: NodeJS.Timeout | undefined
      const late = new Promise<never>((_, reject) => {
        timer = setTimeout(() => {
          retire(pool)
          reject(
            new SmtpError(
              `The mail server was not finished within ${milliseconds} ms`,
              'ETIMEDOUT',
            ),
          )
        }, milliseconds).unref()
      })
      try {
        await Promise.race([pool.transport.sendMail(message), late])
      } finally {
        clearTimeout(timer)
        pool.active--
        if (pool.retired && pool.active === 0 && open.has(pool)) end(pool)
      }
    },

    close(): void {
      closed = true
      // What is still under way has had its time.
      for (const pool of open) end(pool)
    },
  }
}
