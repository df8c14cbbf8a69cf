import assert from 'node:assert/strict'
import { test } from 'node:test'
import { emailChannel } from '../../../src/core/delivery/email-channel.js'
import { renderEmail } from '../../../src/core/delivery/email-templates.js'
import type { DeliveryIntent, DeliveryKind } from '../../../src/ports/delivery-channel.js'
import type { EmailContext, EmailMessage, RenderEmail } from '../../../src/ports/email-sender.js'
import { ada, intent, testDispatch } from '../../helpers/delivery.js'

const paths = {
  verify: '/verify-email',
  reset: '/reset-password',
  change: '/confirm-email-change',
  revert: '/revert-email',
}
const frontendUrl = 'https://app.example.com'
const token = intent.token as string
const kinds: readonly DeliveryKind[] = [
  'verify_email',
  'reset_password',
  'change_email',
  'email_changed',
  'password_changed',
  'existing_account',
  'provider_linked',
  'provider_unlinked',
  'mfa_enabled',
  'mfa_disabled',
  'recovery_code_used',
  'passkey_added',
  'passkey_removed',
]
const notices = [
  'password_changed',
  'existing_account',
  'provider_unlinked',
  'mfa_enabled',
  'mfa_disabled',
  'recovery_code_used',
  'passkey_added',
  'passkey_removed',
]
const intentOf = (kind: DeliveryKind): DeliveryIntent =>
  notices.includes(kind)
    ? { ...intent, kind, token: null, expiresInSeconds: 0 }
    : { ...intent, kind }

type EmailChannelOptions = Parameters<typeof emailChannel>[0]

async function sent(
  given: DeliveryIntent,
  options: Partial<EmailChannelOptions> = {},
): Promise<EmailMessage[]> {
  const messages: EmailMessage[] = []
  await emailChannel({
    sender: { send: (message) => messages.push(message) },
    frontendUrl,
    paths,
    ...options,
  }).deliver(given)
  return messages
}

async function linkOf(
  given: DeliveryIntent,
  options?: Partial<EmailChannelOptions>,
): Promise<string | undefined> {
  return (await sent(given, options))[0]?.context.link
}

test('email links: each kind points to its page, with its token and redirect_to if it has them', async () => {
  const tail = `?token=${token}&redirect_to=%2Fnotes%3Ftab%3D2`
  const expected: Record<DeliveryKind, string> = {
    verify_email: `${frontendUrl}/verify-email${tail}`,
    reset_password: `${frontendUrl}/reset-password${tail}`,
    change_email: `${frontendUrl}/confirm-email-change${tail}`,
    email_changed: `${frontendUrl}/revert-email${tail}`,
    password_changed: `${frontendUrl}/reset-password`,
    existing_account: frontendUrl,
    provider_linked: `${frontendUrl}/revert-email${tail}`,
    provider_unlinked: `${frontendUrl}/reset-password`,
    mfa_enabled: `${frontendUrl}/reset-password`,
    mfa_disabled: `${frontendUrl}/reset-password`,
    recovery_code_used: `${frontendUrl}/reset-password`,
    passkey_added: `${frontendUrl}/reset-password`,
    passkey_removed: `${frontendUrl}/reset-password`,
  }
  assert.deepEqual([...kinds].sort(), Object.keys(expected).sort())
  for (const kind of kinds) assert.equal(await linkOf(intentOf(kind)), expected[kind], kind)
  const { redirectTo: _, ...plain } = intent
  assert.equal(await linkOf(plain), `${frontendUrl}/reset-password?token=${token}`)
  const options = {
    frontendUrl: 'https://example.com/shop',
    paths: { ...paths, reset: '/a/reset/' },
  }
  assert.equal(await linkOf(plain, options), `https://example.com/shop/a/reset/?token=${token}`)
})

test('email links: token and redirect_to are encoded and cannot inject query parameters', async () => {
  const hostile = '/x?a=b&token=other#frag"><script>\r\nBcc: eve@example.com'
  const link = new URL(
    (await linkOf({ ...intent, token: 'a&b=c#d', redirectTo: hostile })) as string,
  )
  assert.equal(link.searchParams.get('token'), 'a&b=c#d')
  assert.deepEqual(link.searchParams.getAll('token').length, 1)
  assert.equal(link.searchParams.get('redirect_to'), hostile)
  assert.equal(link.hash, '')
})

test('sender: gets the rendered message with its kind and context', async () => {
  const [message] = await sent(intent)
  assert.equal(message?.to, intent.recipient)
  assert.equal(message?.kind, 'reset_password')
  assert.deepEqual(Object.keys(message ?? {}).sort(), [
    'context',
    'html',
    'kind',
    'subject',
    'text',
    'to',
  ])
  assert.deepEqual(message?.context, {
    link: `${frontendUrl}/reset-password?token=${token}&redirect_to=%2Fnotes%3Ftab%3D2`,
    recipient: intent.recipient,
    expiresInSeconds: 3600,
  })
})

test('email channel: ignores factors other than email', async () => {
  assert.deepEqual(await sent({ ...intent, factor: 'phone', recipient: '+4915112345678' }), [])
})

for (const kind of kinds) {
  test(`${kind}: text and HTML have the same content and link, and the subject names the app`, async () => {
    const given = intentOf(kind)
    const [message] = await sent(given)
    assert.ok(message)
    const { subject, text, html = '', context } = message
    assert.match(subject, /app\.example\.com/)
    assert.doesNotMatch(subject, /[\r\n]/)
    assert.equal(
      text.split('\n').filter((line) => line === context.link).length,
      1,
      'the link is on a line of its own, once',
    )
    const links = [...html.matchAll(/href="([^"]*)"/g)].map(([, href]) =>
      href?.replaceAll('&amp;', '&'),
    )
    assert.ok(links.includes(context.link))
    for (const link of links) assert.ok(link?.startsWith(frontendUrl), link)
    assert.match(html, /<meta name="color-scheme" content="light dark">/)
    assert.doesNotMatch(html, /<(img|script|table|link|style)\b/)
    const plain = html
      .replace(/<head>[\s\S]*<\/head>/, '')
      .replace(/<[^>]*>/g, '')
      .replaceAll('&amp;', '&')
      .replaceAll('&#39;', "'")
    for (const line of text.split('\n').filter((part) => part !== '' && !part.endsWith(':'))) {
      assert.ok(plain.includes(line), `the HTML lacks: ${line}`)
    }
    assert.match(
      text,
      /[Ii]f (you didn’t|it wasn’t you)/,
      'the text says what to do if it was someone else',
    )
    if (given.token !== null) assert.match(text, /The link works once, for 1 hour\./)
    else assert.doesNotMatch(text, /The link works/)
  })
}

test('verify_email: says that an account was created and links to the password reset', async () => {
  const [message] = await sent(intentOf('verify_email'))
  assert.match(
    message?.text ?? '',
    /An account was created at app\.example\.com with this email address/,
  )
  assert.ok(message?.text.includes(`\n${frontendUrl}/reset-password\n`))
  assert.ok(message?.html?.includes(`href="${frontendUrl}/reset-password"`))
})

test('email templates: markup in user input never reaches an email', async () => {
  const user = { id: 1, email: 'evil"><b>@example.com', username: '<script>alert(1)</script>' }
  const redirectTo = '/"><script>alert(1)</script>'
  for (const kind of kinds) {
    const [message] = await sent({
      ...intentOf(kind),
      user,
      redirectTo,
      recipient: 'o\'"><b>x@example.com',
    })
    const all = `${message?.subject}\n${message?.text}\n${message?.html}`
    for (const part of ['<script>', '<b>', '">x'])
      assert.ok(!all.includes(part), `${kind}: ${part}`)
  }
})

for (const [seconds, words] of [
  [259_200, '3 days'],
  [200_000, '2 days'],
  [172_800, '2 days'],
  [172_799, '47 hours'],
  [86_400, '24 hours'],
  [7200, '2 hours'],
  [7199, '119 minutes'],
  [3600, '1 hour'],
  [3599, '59 minutes'],
  [90, '1 minute'],
  [60, '1 minute'],
  [59, '59 seconds'],
] as const) {
  test(`${seconds} seconds are written as ${words}, rounded down`, async () => {
    const [message] = await sent({ ...intent, expiresInSeconds: seconds })
    assert.ok(message?.text.includes(`for ${words}.`), message?.text)
  })
}

test('email.render: can be async and gets the full context', async () => {
  const seen: [DeliveryKind, EmailContext][] = []
  const render: RenderEmail = async (kind, context) => {
    seen.push([kind, context])
    return { subject: 'Passwort zurücksetzen', text: `Hier: ${context.link}` }
  }
  const [message] = await sent(intent, { render })
  const link = `${frontendUrl}/reset-password?token=${token}&redirect_to=%2Fnotes%3Ftab%3D2`
  assert.deepEqual(seen, [
    [
      'reset_password',
      {
        link,
        recipient: intent.recipient,
        expiresInSeconds: 3600,
        user: ada,
        redirectTo: '/notes?tab=2',
        resetLink: `${frontendUrl}/reset-password`,
      },
    ],
  ])
  assert.deepEqual(
    [message?.subject, message?.text, message?.html],
    ['Passwort zurücksetzen', `Hier: ${link}`, undefined],
  )
})

test('email.render: can call the default renderEmail', async () => {
  const render: RenderEmail = (kind, context) =>
    kind === 'reset_password' ? renderEmail(kind, context) : { subject: 's', text: 't' }
  assert.deepEqual(await sent(intent, { render }), await sent(intent))
})

const bad: [what: string, result: unknown, message: RegExp][] = [
  ['undefined', undefined, /"email\.render" must return/],
  ['null', null, /must return/],
  ['a string', 'Hello', /must return/],
  ['a message without text', { subject: 's' }, /must return/],
  ['an empty subject', { subject: '', text: 't' }, /must return/],
  ['a subject that is a number', { subject: 1, text: 't' }, /must return/],
  ['HTML that is an object', { subject: 's', text: 't', html: {} }, /"html" that is not a string/],
  [
    'a file as HTML',
    { subject: 's', text: 't', html: { path: '/etc/passwd' } },
    /"html" that is not a string/,
  ],
  ...['\r\nBcc: eve@example.com', '\n', '\r', '\0', '\u2028', '\u0085'].map(
    (end): [string, unknown, RegExp] => [
      `a subject with ${JSON.stringify(end)}`,
      { subject: `s${end}`, text: 't' },
      /a subject of more than one line/,
    ],
  ),
]

for (const [what, result, message] of bad) {
  test(`email.render: returning ${what} fails the delivery and sends nothing`, async () => {
    let calls = 0
    const channel = emailChannel({
      sender: { send: () => calls++ },
      frontendUrl,
      paths,
      render: () => result as never,
    })
    await assert.rejects(async () => channel.deliver(intent), {
      code: 'CRUDAUTH_RENDER_RESULT',
      message,
    })
    assert.equal(calls, 0)
  })
}

test('email.render: throwing fails the delivery, which is retried and logged without secrets', async () => {
  const channel = emailChannel({
    sender: { send: () => assert.fail('sent') },
    frontendUrl,
    paths,
    render(_, { link, recipient }) {
      throw new Error(`cannot word ${link} for ${recipient}`)
    },
  })
  const { dispatch, idle, lines } = testDispatch({ channels: [channel] })
  dispatch(intent)
  await idle()
  assert.equal(lines.length, 3)
  assert.match(lines[2] ?? '', /error gave up delivering a message .*cannot word/)
  assert.ok(!lines.join('').includes(token))
  assert.ok(!lines.join('').includes('ada@'))
})

test('close: closes the sender if it has a close method', async () => {
  let closed = 0
  await emailChannel({ sender: { send() {}, close: () => closed++ }, frontendUrl, paths }).close?.()
  await emailChannel({ sender: { send() {} }, frontendUrl, paths }).close?.()
  assert.equal(closed, 1)
})
