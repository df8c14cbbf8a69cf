import { randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { Answer, Ask, Visitor } from './http.js'
import type { Ledger } from './ledger.js'
import type { Mailbox } from './mailbox.js'

interface Session {
  readonly cookie: string
  readonly csrf: string
}

interface Tokens {
  readonly access: string
  readonly refresh: string
}

const sessionCookie = '__Host-crudauth_session'
const newPassword = () => `soak ${randomBytes(9).toString('base64url')}`

/** What was acknowledged about one account, and the requests that prove it again and again. */
export class Account {
  readonly username = `soak${randomBytes(6).toString('hex')}`
  readonly email = `${this.username}@example.com`
  private password = newPassword()
  readonly sessions: Session[] = []
  readonly families: Tokens[] = []
  /** The last session that ended, which must not work again. */
  private ended: Session | undefined
  private resets = 0
  private mailIsLate = false
  /** End of a lock by sign-ins of this account that were answered with 503. */
  private lockedUntilMs = 0

  constructor(
    private readonly visitor: Visitor,
    private readonly mailbox: Mailbox,
    private readonly ledger: Ledger,
  ) {}

  /** Repeats a request until its answer isn't 503, as clients do. */
  private async settle(path: string, ask: Ask): Promise<Answer & { repeated: boolean }> {
    for (let repeats = 0; ; repeats++) {
      const answer = await this.visitor.ask(path, ask)
      if (answer.status !== 503 || repeats === 60) {
        if (answer.status === 503) this.breach('everything recovers', `${path} is 503 for a minute`)
        return { ...answer, repeated: repeats > 0 }
      }
      await delay(1000)
    }
  }

  private breach(invariant: string, proof: string): void {
    this.ledger.breach(invariant, `${this.username}: ${proof}`)
  }

  private expect(answer: Answer, statuses: readonly number[], invariant: string, what: string) {
    const met = statuses.includes(answer.status)
    if (!met) this.breach(invariant, `${what} is ${answer.status} ${JSON.stringify(answer.body)}`)
    return met
  }

  async signUp(): Promise<boolean> {
    const { email, username, password } = this
    const answer = await this.settle('/register', { body: { email, username, password } })
    // A repeated sign-up finds the name taken if the first one was stored without an answer.
    const expected = answer.repeated ? [202, 409] : [202]
    if (!this.expect(answer, expected, 'sign-ups are accepted', 'POST /register')) return false
    this.ledger.count('sign-ups')
    return true
  }

  async verifyEmail(): Promise<void> {
    const token = await this.mailbox.take(this.email, 'verify_email', 5)
    if (token === undefined) return this.ledger.count('verification emails after more than 5 s')
    const answer = await this.settle('/email/verify-confirm', { body: { token } })
    const expected = answer.repeated ? [200, 400] : [200]
    this.expect(answer, expected, 'no emailed token is lost', 'POST /email/verify-confirm')
  }

  private login(password: string) {
    return this.settle('/login', { body: { username: this.email, password } })
  }

  /**
   * Sign-ins that are answered with 503 count as attempts, so repeating them may lock the account.
   * That is tolerated for as long as the first refusal says, and told in the report.
   */
  private isLockedOut({ status, repeated, retryAfterSeconds }: Answer & { repeated: boolean }) {
    if (status !== 429) return false
    if (repeated) this.lockedUntilMs = Date.now() + (retryAfterSeconds + 1) * 1000
    const isTolerated = Date.now() <= this.lockedUntilMs
    if (isTolerated) this.ledger.count('right passwords locked out after 503s')
    return isTolerated
  }

  async signIn(): Promise<void> {
    const answer = await this.login(this.password)
    if (this.isLockedOut(answer)) return
    if (!this.expect(answer, [200], 'no sign-up or password is lost', 'POST /login')) return
    const cookie = `${sessionCookie}=${answer.cookies.get(sessionCookie)}`
    this.sessions.push({ cookie, csrf: answer.body.csrf_token })
    this.ledger.count('sessions')
  }

  async getTokens(): Promise<void> {
    const body = { username: this.email, password: this.password }
    const answer = await this.settle('/token', { body })
    if (this.isLockedOut(answer)) return
    if (!this.expect(answer, [200], 'no sign-up or password is lost', 'POST /token')) return
    this.families.push({ access: answer.body.access_token, refresh: answer.body.refresh_token })
    this.ledger.count('token families')
  }

  async mistype(): Promise<void> {
    const answer = await this.login('not the password')
    this.expect(answer, [401, 429], 'a wrong password is refused', 'POST /login')
  }

  /** Uses each session and access token once. */
  async use(): Promise<void> {
    for (const { cookie } of this.sessions) {
      const headers = { cookie }
      const answer = await this.visitor.ask('/me', {
        method: 'GET',
        headers,
        route: 'GET /me by session',
      })
      this.expectMe(answer, 'no session is lost, and no 401 is wrong')
    }
    for (const { access } of this.families) {
      const headers = { authorization: `Bearer ${access}` }
      const answer = await this.visitor.ask('/me', {
        method: 'GET',
        headers,
        route: 'GET /me by bearer',
      })
      this.expectMe(answer, 'no access token is lost, and no 401 is wrong')
    }
    if (this.ended) await this.tryEnded(this.ended)
  }

  private expectMe(answer: Answer, invariant: string): void {
    if (this.expect(answer, [200, 503], invariant, 'GET /me') && answer.status === 200)
      if (answer.body.username !== this.username)
        this.breach('an answer is about the right user', JSON.stringify(answer.body))
  }

  private async tryEnded({ cookie }: Session): Promise<void> {
    const route = 'GET /me after the end'
    const answer = await this.visitor.ask('/me', { method: 'GET', headers: { cookie }, route })
    this.expect(answer, [401, 503], 'no ended session works again', route)
  }

  async refresh(): Promise<void> {
    const [family] = this.families
    if (!family) return this.getTokens()
    const answer = await this.settle('/refresh', { body: { refresh_token: family.refresh } })
    const what = `POST /refresh${answer.repeated ? ', repeated after 503,' : ''}`
    if (answer.repeated) this.ledger.count('refreshes repeated after 503')
    if (!this.expect(answer, [200], 'no refresh token is lost', what))
      return void this.families.shift()
    this.families[0] = { access: answer.body.access_token, refresh: answer.body.refresh_token }
    this.ledger.count('refreshes')
  }

  async listDevices(): Promise<void> {
    const [session] = this.sessions
    if (!session) return this.signIn()
    const ask: Ask = { method: 'GET', headers: { cookie: session.cookie } }
    const answer = await this.visitor.ask('/sessions', ask)
    if (
      !this.expect(answer, [200, 503], 'no session is lost, and no 401 is wrong', 'GET /sessions')
    )
      return
    const listed = (answer.body as unknown[]).length
    if (answer.status === 200 && listed < this.sessions.length)
      this.breach('the list of devices is complete', `${listed} of ${this.sessions.length}`)
  }

  async signOut(): Promise<void> {
    const session = this.sessions.pop()
    if (!session) return this.signIn()
    const headers = { cookie: session.cookie, 'x-csrf-token': session.csrf }
    const answer = await this.settle('/logout', { headers })
    const expected = answer.repeated ? [200, 401] : [200]
    this.expect(answer, expected, 'no session is lost, and no 401 is wrong', 'POST /logout')
    this.ended = session
    this.ledger.count('sign-outs')
    await this.tryEnded(session)
  }

  async resetPassword(): Promise<void> {
    // One fewer than the plugin allows an hour.
    if (++this.resets > 4) return this.use()
    const { phase } = this.ledger
    const request = await this.settle('/password/reset-request', { body: { email: this.email } })
    this.expect(request, [202], 'resets are accepted', 'POST /password/reset-request')
    const token = await this.mailbox.take(this.email, 'reset_password', 30)
    if (token === undefined) {
      this.mailIsLate = true
      if (phase.outage === 'none' && this.ledger.phase.outage === 'none')
        this.breach('messages are sent', 'no reset_password within 30 s')
      return this.ledger.count('reset emails after more than 30 s')
    }
    const password = newPassword()
    const body = { token, new_password: password }
    const answer = await this.settle('/password/reset-confirm', { body })
    if (answer.status === 400 && (answer.repeated || this.mailIsLate))
      return this.findPassword(password)
    if (!this.expect(answer, [200], 'no emailed token is lost', 'POST /password/reset-confirm'))
      return
    this.passwordChanged(password)
  }

  private passwordChanged(password: string): void {
    this.password = password
    this.ended = this.sessions[0] ?? this.ended
    this.sessions.length = 0
    this.families.length = 0
    this.ledger.count('password resets')
  }

  /** After a reset without an answer: either it happened, or nothing has changed. */
  private async findPassword(password: string): Promise<void> {
    this.ledger.count('resets without an answer')
    if ((await this.login(password)).status === 200) this.passwordChanged(password)
    else await this.signIn()
  }
}
