/** `fix` must be fixed, `warn` should be looked at, `ok` is fine. */
type Level = 'fix' | 'warn' | 'ok'

/** Collects findings. */
export interface Report {
  add(level: Level, text: string): void
  /** Keeps a secret out of everything that is printed. */
  hide(secret: string): void
  /** The findings as text. */
  text(title: string): string
  /** Whether something must be fixed. */
  readonly mustFix: boolean
}

const marks = { fix: '✖', warn: '!', ok: '✔' }
const order: readonly Level[] = ['fix', 'warn', 'ok']

const plural = (count: number, one: string): string => `${count} ${one}${count === 1 ? '' : 's'}`

/** Environment variables whose values must not be printed. */
const secretNames = /secret|token|pass|pwd|(?:^|_)keys?(?:$|_)/i

/** The password in a URL. It may contain `/` and `@`, with which the URL is invalid. */
const passwordIn = (value: string): string | undefined =>
  /^[\w+.-]+:\/\/[^\s/:]*:([^\s]*)@/.exec(value)?.[1]

const decoded = (text: string): string => {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** Creates a report that never prints secrets: error messages of drivers may repeat them. */
export function createReport(env: NodeJS.ProcessEnv = process.env): Report {
  const findings: { level: Level; text: string }[] = []
  const secrets = new Map<string, string>()
  const hide = (secret: string, label: string) => {
    if (secret.length >= 6) secrets.set(secret, label)
  }
  for (const [name, value = ''] of Object.entries(env)) {
    const password = passwordIn(value)
    if (secretNames.test(name) || password) hide(value, `[${name}]`)
    if (password) for (const form of [password, decoded(password)]) hide(form, `[${name}]`)
  }
  const clean = (text: string) => {
    let shown = text
    for (const [secret, label] of [...secrets].sort(([a], [b]) => b.length - a.length))
      shown = shown.replaceAll(secret, label)
    return shown.replace(/(\w:\/\/)[^\s/@]*@/g, '$1[credentials]@').trim()
  }
  return {
    add(level, text) {
      if (!findings.some((finding) => finding.text === text)) findings.push({ level, text })
    },
    hide: (secret) => hide(secret, '[secret]'),
    get mustFix() {
      return findings.some(({ level }) => level === 'fix')
    },
    text(title) {
      const lines = order.flatMap((level) =>
        findings
          .filter((finding) => finding.level === level)
          .map(({ text }) => `${marks[level]} ${clean(text).replaceAll('\n', '\n  ')}`),
      )
      const count = (level: Level) => findings.filter((finding) => finding.level === level).length
      const fixes = count('fix')
      const summary = [
        fixes === 0 ? 'Nothing must be fixed' : `${plural(fixes, 'thing')} must be fixed`,
        plural(count('warn'), 'warning'),
      ].join(', ')
      return `${clean(title)}\n\n${lines.join('\n')}\n\n${summary}.`
    },
  }
}

/** Name or code of an error, without its message, which may repeat data. */
export function nameOf(error: unknown): string {
  const { code, name, cause, message } = (error ?? {}) as Record<string, unknown>
  if (cause !== undefined && cause !== null) {
    const inner = nameOf(cause)
    if (inner !== 'Error') return inner
  }
  if (typeof code === 'string' && code !== '') return code
  // Redis has its codes in the message: WRONGPASS, NOAUTH.
  const word = typeof message === 'string' ? /^[A-Z]{5,}\b/.exec(message)?.[0] : undefined
  return word ?? (typeof name === 'string' ? name : 'Error')
}
