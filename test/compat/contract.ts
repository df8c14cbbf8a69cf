/**
 * What a front end written for CRUDAuth (0.8) relies on, request by request: the proof that it works here unchanged. What is
 * different on purpose is marked with `differs`, and with the page that explains it; the table in `docs/guides/migrate-crudauth.md` is made of
 * these marks.
 */

/**
 * Values that earlier steps have captured stand in braces: `{csrf}`, `{access}`. So do tokens of mails
 * (`{mail:verify_email}`), the next code of a captured TOTP secret (`{totp:secret}`) and the authorization code with which
 * a provider sends somebody back (`{provider:eve}`, for the captured `{nonce}`).
 */
export interface Step {
  readonly name: string
  /** Who asks: each name is a browser of its own. */
  readonly as: 'ada' | 'phone' | 'eve' | 'nobody' | 'provider'
  readonly request: {
    readonly method: 'GET' | 'POST' | 'DELETE'
    readonly path: string
    readonly form?: Readonly<Record<string, string>>
    readonly multipart?: Readonly<Record<string, string>>
    readonly json?: Readonly<Record<string, unknown>>
    readonly headers?: Readonly<Record<string, string>>
    /** Whether the CSRF token goes along, as CRUDAuth's front ends send it. Default: whenever there is one. */
    readonly csrf?: false
  }
  readonly expect: {
    readonly status: number
    /** Members that the body has, at least, nested ones with a dot; of a list those of its first entry. */
    readonly keys?: readonly string[]
    /** Members and their values. */
    readonly body?: Readonly<Record<string, unknown>>
    /** Members that differ from captured values. */
    readonly unlike?: Readonly<Record<string, string>>
    /** Names of cookies that are set, as front ends read them. */
    readonly cookies?: readonly string[]
    readonly cleared?: readonly string[]
    readonly headers?: Readonly<Record<string, string | RegExp>>
  }
  /** Member of the body, or parameter of the `Location` (`location:state`), to the name under which later steps find it. */
  readonly capture?: Readonly<Record<string, string>>
  readonly differs?: { readonly crudauth: string; readonly here: string; readonly page: string }
}

const password = 'a quiet sea at noon'
const next = 'another quiet sea'
const login = { username: 'ada', password }
/** Must have a second factor. */
export const required = 'eve'

export const contract: readonly Step[] = [
  {
    name: 'sign-up',
    as: 'nobody',
    request: {
      method: 'POST',
      path: '/register',
      json: { email: 'ada@example.com', username: 'ada', password },
    },
    expect: { status: 202, keys: ['detail'] },
    differs: {
      crudauth: '`POST /register` returns 201 with the account, and 409 for a known email',
      here: 'With delivery 202 for both, and the owner of a known address gets an email. Without delivery as in CRUDAuth.',
      page: '../email.md#user-enumeration',
    },
  },
  {
    name: 'a sign-up with a taken username',
    as: 'nobody',
    request: {
      method: 'POST',
      path: '/register',
      json: { email: 'other@example.com', username: 'ada', password },
    },
    expect: { status: 409, keys: ['message'] },
    differs: {
      crudauth: 'Errors are `{"detail": "…"}`, an invalid body is 422',
      here: 'Errors are `{"statusCode", "code", "error", "message"}`, an invalid body is 400. A short error handler restores the format of CRUDAuth.',
      page: '#error-format',
    },
  },
  {
    name: 'an anonymous request',
    as: 'ada',
    request: { method: 'GET', path: '/me' },
    expect: { status: 401, headers: { 'www-authenticate': /^Bearer/ } },
  },
  {
    name: 'a wrong password',
    as: 'ada',
    request: { method: 'POST', path: '/login', form: { username: 'ada', password: 'wrong one' } },
    expect: { status: 401 },
  },
  {
    name: 'sign-in by a form',
    as: 'ada',
    request: { method: 'POST', path: '/login', form: login },
    expect: { status: 200, keys: ['csrf_token'], cookies: ['csrf_token'] },
    capture: { csrf_token: 'csrf' },
  },
  {
    name: 'sign-in by FormData, with a flag in capitals',
    as: 'phone',
    request: {
      method: 'POST',
      path: '/login',
      multipart: { username: 'ada@example.com', password, remember_me: 'True' },
    },
    expect: { status: 200, keys: ['csrf_token'], cookies: ['csrf_token'] },
  },
  {
    name: 'the current user',
    as: 'ada',
    request: { method: 'GET', path: '/me' },
    expect: {
      status: 200,
      keys: ['id', 'scopes', 'username', 'email', 'email_verified', 'is_superuser'],
      body: { via: 'session' },
    },
    capture: { id: 'id' },
  },
  {
    name: 'an unsafe request without the CSRF header',
    as: 'ada',
    request: { method: 'POST', path: '/logout', csrf: false },
    expect: { status: 403, headers: { 'x-csrf-error': 'true' } },
  },
  {
    name: 'the list of devices',
    as: 'ada',
    request: { method: 'GET', path: '/sessions' },
    expect: {
      status: 200,
      keys: ['id', 'session_id', 'device', 'ip', 'created_at', 'last_activity', 'current'],
    },
    capture: { 'other.id': 'other' },
  },
  {
    name: 'an unknown session',
    as: 'ada',
    request: { method: 'DELETE', path: '/sessions/unknown' },
    expect: { status: 404 },
  },
  {
    name: 'one device is signed out',
    as: 'ada',
    request: { method: 'DELETE', path: '/sessions/{other}' },
    expect: { status: 200 },
  },
  {
    name: 'the device that was signed out',
    as: 'phone',
    request: { method: 'GET', path: '/me' },
    expect: { status: 401 },
  },
  {
    name: 'a new CSRF token',
    as: 'ada',
    request: { method: 'POST', path: '/csrf/refresh', csrf: false },
    expect: { status: 200, keys: ['csrf_token'] },
    capture: { csrf_token: 'csrf' },
  },
  {
    name: 'signing out the other devices',
    as: 'ada',
    request: { method: 'POST', path: '/logout-all?keep_current=True' },
    expect: { status: 200 },
  },
  {
    name: 'tokens by a form',
    as: 'phone',
    request: { method: 'POST', path: '/token', form: { grant_type: '', ...login } },
    expect: {
      status: 200,
      keys: ['access_token', 'refresh_token'],
      body: { token_type: 'bearer' },
    },
    capture: { access_token: 'access', refresh_token: 'refresh' },
  },
  {
    name: 'the current user, by a token',
    as: 'nobody',
    request: { method: 'GET', path: '/me', headers: { authorization: 'Bearer {access}' } },
    expect: { status: 200, keys: ['id', 'scopes'], body: { via: 'bearer' } },
  },
  {
    name: 'a new access token',
    as: 'nobody',
    request: { method: 'POST', path: '/refresh', json: { refresh_token: '{refresh}' } },
    expect: { status: 200, keys: ['access_token'], body: { token_type: 'bearer' } },
    capture: { refresh_token: 'refresh2' },
    differs: {
      crudauth: '`POST /refresh` keeps the refresh token, which can be used again',
      here: 'Each use returns a new token, and reuse revokes the family. `bearerTransport({ rotateRefresh: false })` restores the behaviour of CRUDAuth.',
      page: '../bearer.md#refresh-token-rotation',
    },
  },
  {
    name: 'the first password of an account that has one',
    as: 'ada',
    request: { method: 'POST', path: '/set-password', json: { new_password: next } },
    expect: { status: 400 },
  },
  {
    name: 'a verification',
    as: 'nobody',
    request: {
      method: 'POST',
      path: '/email/verify-confirm',
      json: { token: '{mail:verify_email}' },
    },
    expect: { status: 200 },
  },
  {
    name: 'a verification with a used token',
    as: 'nobody',
    request: {
      method: 'POST',
      path: '/email/verify-confirm',
      json: { token: '{mail:verify_email}' },
    },
    expect: { status: 400 },
  },
  {
    name: 'a verification request',
    as: 'nobody',
    request: {
      method: 'POST',
      path: '/email/verify-request',
      json: { email: 'nobody@example.com', redirect_to: null },
    },
    expect: { status: 202, keys: ['detail'] },
  },
  {
    name: 'a password change with a wrong password',
    as: 'ada',
    request: {
      method: 'POST',
      path: '/change-password',
      json: { current_password: 'wrong one', new_password: next },
    },
    expect: { status: 401 },
  },
  {
    name: 'an email change with a wrong password',
    as: 'ada',
    request: {
      method: 'POST',
      path: '/email/change-request',
      json: { new_email: 'new@example.com', password: 'wrong one' },
    },
    expect: { status: 400 },
  },
  {
    name: 'an email change',
    as: 'ada',
    request: {
      method: 'POST',
      path: '/email/change-request',
      json: { new_email: 'new@example.com', password },
    },
    expect: { status: 202, keys: ['detail'] },
  },
  {
    name: 'confirming an email change',
    as: 'nobody',
    request: {
      method: 'POST',
      path: '/email/change-confirm',
      json: { token: '{mail:change_email}' },
    },
    expect: { status: 200 },
  },
  {
    name: 'a password change',
    as: 'ada',
    request: {
      method: 'POST',
      path: '/change-password',
      json: { current_password: password, new_password: next },
    },
    expect: { status: 200 },
  },
  {
    name: 'a token from before the change',
    as: 'nobody',
    request: { method: 'GET', path: '/me', headers: { authorization: 'Bearer {access}' } },
    expect: { status: 401 },
  },
  {
    name: 'a password reset request',
    as: 'nobody',
    request: {
      method: 'POST',
      path: '/password/reset-request',
      json: { email: 'new@example.com' },
    },
    expect: { status: 202, keys: ['detail'] },
  },
  {
    name: 'a password reset',
    as: 'nobody',
    request: {
      method: 'POST',
      path: '/password/reset-confirm',
      json: { token: '{mail:reset_password}', new_password: password },
    },
    expect: { status: 200 },
  },
  {
    name: 'the session from before the reset',
    as: 'ada',
    request: { method: 'GET', path: '/me' },
    expect: { status: 401 },
  },
  {
    name: 'sign-in after the reset',
    as: 'ada',
    request: { method: 'POST', path: '/login', form: login },
    expect: { status: 200, keys: ['csrf_token'], cookies: ['csrf_token'] },
    capture: { csrf_token: 'csrf' },
  },
  {
    name: 'the second factor of an account without one',
    as: 'ada',
    request: { method: 'GET', path: '/mfa' },
    expect: {
      status: 200,
      body: { enabled: false, required: false, recovery_codes_remaining: 0 },
    },
  },
  {
    name: 'a second factor with a wrong password',
    as: 'ada',
    request: { method: 'POST', path: '/mfa/totp/setup', json: { password: 'wrong one' } },
    expect: { status: 401 },
  },
  {
    name: 'a secret for the authenticator app',
    as: 'ada',
    request: { method: 'POST', path: '/mfa/totp/setup', json: { password } },
    expect: { status: 200, keys: ['secret', 'otpauth_uri'] },
    capture: { secret: 'secret' },
  },
  {
    name: 'a wrong first code',
    as: 'ada',
    request: { method: 'POST', path: '/mfa/totp/confirm', json: { code: 'abcdef' } },
    expect: { status: 401 },
  },
  {
    name: 'the first code',
    as: 'ada',
    request: { method: 'POST', path: '/mfa/totp/confirm', json: { code: '{totp:secret}' } },
    expect: { status: 200, keys: ['recovery_codes'] },
    capture: { 'recovery_codes.0': 'recovery' },
  },
  {
    name: 'the second factor',
    as: 'ada',
    request: { method: 'GET', path: '/mfa' },
    expect: {
      status: 200,
      body: { enabled: true, required: false, recovery_codes_remaining: 10 },
    },
  },
  {
    name: 'sign-in with a second factor',
    as: 'phone',
    request: { method: 'POST', path: '/login', form: login },
    expect: {
      status: 200,
      keys: ['challenge'],
      body: { mfa_required: true, expires_in: 300, csrf_token: undefined, setup: undefined },
    },
    capture: { challenge: 'challenge' },
  },
  {
    name: 'what the challenge asks for',
    as: 'phone',
    request: { method: 'POST', path: '/mfa/challenge', json: { challenge: '{challenge}' } },
    expect: { status: 200, body: { setup: null } },
  },
  {
    name: 'a wrong code at sign-in',
    as: 'phone',
    request: {
      method: 'POST',
      path: '/mfa/verify',
      json: { challenge: '{challenge}', code: 'abcdef' },
    },
    expect: { status: 401 },
  },
  {
    name: 'a code at sign-in',
    as: 'phone',
    request: {
      method: 'POST',
      path: '/mfa/verify',
      json: { challenge: '{challenge}', code: '{totp:secret}' },
    },
    expect: { status: 200, keys: ['csrf_token'], cookies: ['csrf_token'] },
  },
  {
    name: 'a used challenge',
    as: 'phone',
    request: {
      method: 'POST',
      path: '/mfa/verify',
      json: { challenge: '{challenge}', code: 'abcdef' },
    },
    expect: { status: 400 },
  },
  {
    name: 'tokens with a second factor',
    as: 'nobody',
    request: { method: 'POST', path: '/token', form: { grant_type: 'password', ...login } },
    expect: { status: 200, keys: ['challenge', 'expires_in'], body: { mfa_required: true } },
    capture: { challenge: 'challenge' },
  },
  {
    name: 'tokens by a recovery code',
    as: 'nobody',
    request: {
      method: 'POST',
      path: '/mfa/verify',
      json: { challenge: '{challenge}', code: '{recovery}' },
    },
    expect: {
      status: 200,
      keys: ['access_token', 'refresh_token'],
      body: { token_type: 'bearer' },
    },
  },
  {
    name: 'new recovery codes by a used one',
    as: 'ada',
    request: {
      method: 'POST',
      path: '/mfa/recovery-codes/regenerate',
      json: { code: '{recovery}' },
    },
    expect: { status: 401 },
  },
  {
    name: 'new recovery codes',
    as: 'ada',
    request: {
      method: 'POST',
      path: '/mfa/recovery-codes/regenerate',
      json: { code: '{totp:secret}' },
    },
    expect: { status: 200, keys: ['recovery_codes'] },
    capture: { 'recovery_codes.0': 'recovery' },
  },
  {
    name: 'turning the second factor off with a wrong code',
    as: 'ada',
    request: { method: 'POST', path: '/mfa/totp/disable', json: { code: 'abcdef' } },
    expect: { status: 401 },
  },
  {
    name: 'turning the second factor off',
    as: 'ada',
    request: { method: 'POST', path: '/mfa/totp/disable', json: { code: '{recovery}' } },
    expect: { status: 200, keys: ['detail'] },
  },
  {
    name: 'sign-up of an account that must have a second factor',
    as: 'eve',
    request: {
      method: 'POST',
      path: '/register',
      json: { email: 'eve@example.com', username: required, password },
    },
    expect: { status: 202 },
  },
  {
    name: 'its verification',
    as: 'eve',
    request: {
      method: 'POST',
      path: '/email/verify-confirm',
      json: { token: '{mail:verify_email}' },
    },
    expect: { status: 200 },
  },
  {
    name: 'its first sign-in',
    as: 'eve',
    request: { method: 'POST', path: '/login', form: { username: required, password } },
    expect: {
      status: 200,
      keys: ['challenge', 'expires_in', 'setup.secret', 'setup.otpauth_uri'],
      body: { mfa_required: true },
    },
    capture: { 'setup.secret': 'first' },
  },
  {
    name: 'its first sign-in, once more',
    as: 'eve',
    request: { method: 'POST', path: '/login', form: { username: required, password } },
    expect: { status: 200, keys: ['setup.secret'], unlike: { 'setup.secret': 'first' } },
    capture: { challenge: 'challenge', 'setup.secret': 'secret' },
    differs: {
      crudauth:
        'An account that must enroll gets the same TOTP secret at each sign-in, until it is confirmed',
      here: 'Each challenge has its own secret, and the first one confirmed ends the others.',
      page: '../mfa.md#required-accounts',
    },
  },
  {
    name: 'set-up at sign-in',
    as: 'eve',
    request: {
      method: 'POST',
      path: '/mfa/verify',
      json: { challenge: '{challenge}', code: '{totp:secret}' },
    },
    expect: { status: 200, keys: ['csrf_token', 'recovery_codes'], cookies: ['csrf_token'] },
    capture: { 'recovery_codes.0': 'recovery' },
  },
  {
    name: 'turning a required second factor off',
    as: 'eve',
    request: { method: 'POST', path: '/mfa/totp/disable', json: { code: '{recovery}' } },
    expect: { status: 403 },
  },
  {
    name: 'sign-out',
    as: 'ada',
    request: { method: 'POST', path: '/logout' },
    expect: { status: 200, cleared: ['csrf_token'] },
  },
  {
    name: 'authorize with an unknown provider',
    as: 'provider',
    request: { method: 'GET', path: '/oauth/unknown/authorize' },
    expect: { status: 404 },
  },
  {
    name: 'authorize with a provider',
    as: 'provider',
    request: { method: 'GET', path: '/oauth/acme/authorize?redirect_to=/home' },
    expect: { status: 302, headers: { location: /[?&]state=/ } },
    capture: { 'location:state': 'state', 'location:nonce': 'nonce' },
  },
  {
    name: 'a callback with a foreign state',
    as: 'provider',
    request: { method: 'GET', path: '/oauth/acme/callback?code=x&state=foreign' },
    expect: { status: 302, headers: { location: /\?error=invalid_state$/ } },
  },
  {
    name: 'a callback for an account with a second factor',
    as: 'provider',
    request: {
      method: 'GET',
      path: '/oauth/acme/callback?code={provider:eve}&state={state}',
    },
    expect: { status: 302, headers: { location: /^\/start#mfa_challenge=[\w-]+$/ } },
    capture: { 'location:mfa_challenge': 'challenge' },
    differs: {
      crudauth: 'A sign-in with a provider is not asked for the second factor by default',
      here: 'It is. `mfa: { oauth: false }` restores the behaviour of CRUDAuth.',
      page: '../mfa.md#sign-in-with-a-provider',
    },
  },
  {
    name: 'a code after the callback',
    as: 'provider',
    request: {
      method: 'POST',
      path: '/mfa/verify',
      json: { challenge: '{challenge}', code: '{recovery}' },
    },
    expect: {
      status: 200,
      keys: ['csrf_token'],
      body: { redirect_to: '/home' },
      cookies: ['csrf_token'],
    },
  },
]

/** Differences that no single request shows. */
export const further: readonly NonNullable<Step['differs']>[] = [
  {
    crudauth: 'TOTP secrets in the users table are encrypted with Fernet',
    here: "AES-256-GCM with the user's id. Empty the four columns: users enroll again.",
    page: '#data',
  },
  {
    crudauth: 'Hashes are bcrypt over the SHA-256 of the password',
    here: 'argon2id. `crudauthHashes` accepts the old hashes, and each is replaced at the next sign-in.',
    page: '#passwords',
  },
  {
    crudauth: 'A sudo route uses `auth.sudo.elevate` and `auth.require_sudo()`',
    here: 'The same: `app.crudAuth.sudo.elevate(request, { password })` and `app.requireSudo`',
    page: '../gates.md#requiresudo',
  },
]
