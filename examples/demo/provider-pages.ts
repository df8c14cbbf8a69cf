import { readFileSync } from 'node:fs'
import type { ProviderPages } from '../../scripts/services/oidc-pages.js'
import { bundleFrontEnd } from './front-end.js'
import { escapeHtml } from './layout.js'

/** A page of the provider. It looks like the demo, but it is another site with its own name. */
const page = (title: string, main: string): string => `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <title>${title} · Local provider</title>
    <link rel="icon" href="/icon.svg" type="image/svg+xml">
    <link rel="stylesheet" href="/style.css">
  </head>
  <body>
    <main class="provider narrow">
      <p class="provider-name"><img src="/icon.svg" alt="" width="28" height="28">Local provider</p>
      <div class="card">
        <h1>${title}</h1>
        ${main}
      </div>
      <p class="hint after">An OpenID Connect provider on this machine, for the demo only. It asks for no password.</p>
    </main>
  </body>
</html>
`

const login = (client: string, refused: string | null): string => {
  const error =
    refused === null
      ? ''
      : `<p id="login-error" class="field-error">There is no account “${escapeHtml(refused)}”. Enter ada or bob.</p>`
  return page(
    'Sign in',
    `<p>to continue to ${escapeHtml(client)}</p>
        <form method="post">
          <div class="field">
            <label for="login">Account</label>
            <input id="login" name="login" value="${escapeHtml(refused ?? '')}" autocomplete="off" autocapitalize="none" spellcheck="false" autofocus required aria-describedby="${error ? 'login-error ' : ''}login-hint"${error ? ' aria-invalid="true"' : ''}>
            ${error}
            <p id="login-hint" class="hint">ada has a confirmed address, bob has an unconfirmed one.</p>
          </div>
          <div class="buttons">
            <button class="primary" name="decision" value="allow">Sign in</button>
            <button name="decision" value="deny" formnovalidate>Cancel</button>
          </div>
        </form>`,
  )
}

const consent = (client: string, account: string): string =>
  page(
    'Share your profile?',
    `<p>${escapeHtml(client)} gets the name and the email address of <strong>${escapeHtml(account)}</strong>.</p>
        <form method="post">
          <div class="buttons">
            <button class="primary" name="decision" value="allow">Allow</button>
            <button name="decision" value="deny">Deny</button>
          </div>
        </form>`,
  )

const failure = (message: string): string =>
  page(
    'This sign-in cannot continue',
    `<p>It has expired, or was started in another browser. Go back to the app and start again.</p>
        <p class="hint">${escapeHtml(message)}</p>`,
  )

/**
 * The pages of the local provider, in the style of the demo.
 * @param appUrl origin of the demo, to which the forms lead in the end
 */
export async function providerPages(appUrl: string): Promise<ProviderPages> {
  const style = (await bundleFrontEnd()).find(({ url }) => url === '/assets/style.css')
  const icon = readFileSync(new URL('front-end/provider.svg', import.meta.url), 'utf8')
  return {
    login,
    consent,
    failure,
    files: {
      '/style.css': { type: 'text/css; charset=utf-8', content: style?.content ?? '' },
      '/icon.svg': { type: 'image/svg+xml', content: icon },
    },
    headers: {
      'content-security-policy': [
        "default-src 'none'",
        "style-src 'self'",
        "img-src 'self'",
        // Browsers also check redirects after a form: the last one leads to the app.
        `form-action 'self' ${appUrl}`,
        "base-uri 'none'",
        "frame-ancestors 'none'",
      ].join('; '),
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'same-origin',
      'cache-control': 'no-store',
    },
  }
}
