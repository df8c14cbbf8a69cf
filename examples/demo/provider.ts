import { randomBytes } from 'node:crypto'
import { startOidcProvider } from '../../scripts/services/oidc-provider.js'
import { type OAuthProvider, oidc } from '../../src/index.js'

/** A provider that the demo's page offers. Its key names its routes and its column: `local` and `local_id`. */
export interface DemoProvider {
  readonly key: string
  /** What buttons call it. */
  readonly name: string
  /** What to know before going there. */
  readonly hint: string
  readonly provider: OAuthProvider
}

const key = 'local'

/**
 * Starts an OpenID Connect provider on this machine, in this process. It asks for no password: whoever reaches it is whom they
 * say they are, so it is for development alone.
 * @param baseUrl where browsers find the demo
 */
export async function startLocalProvider(
  baseUrl: string,
): Promise<{ readonly url: string; readonly provider: DemoProvider; stop(): Promise<void> }> {
  const clientId = 'demo'
  const clientSecret = randomBytes(32).toString('hex')
  const { url, stop } = await startOidcProvider({
    clients: [
      {
        client_id: clientId,
        client_secret: clientSecret,
        redirect_uris: [`${baseUrl}/auth/oauth/${key}/callback`],
      },
    ],
  })
  const provider = oidc({
    issuer: url,
    clientId,
    clientSecret,
    // It asks who one is each time, so that more than one person can be tried in one browser.
    authorizationParams: { prompt: 'login' },
    // http, and an address of this machine: what a real provider never has.
    allowInsecure: true,
  })
  return {
    url,
    provider: {
      key,
      name: 'the local provider',
      hint: 'The local provider runs on this machine and knows two accounts: ada, whose address is confirmed, and bob, whose address is not.',
      provider,
    },
    stop,
  }
}
