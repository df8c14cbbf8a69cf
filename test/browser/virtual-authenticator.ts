import type { CDPSession, Page } from 'playwright-core'

/** A passkey as the DevTools protocol has it. Bytes are base64, not base64url. */
export interface Credential {
  readonly credentialId: string
  readonly isResidentCredential: boolean
  readonly rpId?: string
  readonly privateKey: string
  readonly userHandle?: string
  readonly signCount: number
}

/** A virtual authenticator of Chromium, in one page. It stays across navigations. */
export class VirtualAuthenticator {
  private constructor(
    private readonly session: CDPSession,
    private readonly authenticatorId: string,
  ) {}

  static async attach(page: Page): Promise<VirtualAuthenticator> {
    const session = await page.context().newCDPSession(page)
    await session.send('WebAuthn.enable')
    const { authenticatorId } = await session.send('WebAuthn.addVirtualAuthenticator', {
      options: {
        protocol: 'ctap2',
        transport: 'internal',
        hasResidentKey: true,
        hasUserVerification: true,
        automaticPresenceSimulation: true,
        isUserVerified: true,
      },
    })
    return new VirtualAuthenticator(session, authenticatorId)
  }

  /**
   * Whether it answers requests that come from now on. Otherwise they wait, also those of the
   * autofill, which it answers without anybody choosing a passkey.
   */
  async answers(enabled: boolean): Promise<void> {
    const { authenticatorId } = this
    await this.session.send('WebAuthn.setAutomaticPresenceSimulation', { authenticatorId, enabled })
  }

  async verifiesUser(isUserVerified: boolean): Promise<void> {
    const { authenticatorId } = this
    await this.session.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified })
  }

  async credentials(): Promise<Credential[]> {
    const { authenticatorId } = this
    const { credentials } = await this.session.send('WebAuthn.getCredentials', { authenticatorId })
    return credentials
  }

  /** Replaces all passkeys. */
  async hold(...credentials: Credential[]): Promise<void> {
    const { authenticatorId } = this
    await this.session.send('WebAuthn.clearCredentials', { authenticatorId })
    for (const credential of credentials)
      await this.session.send('WebAuthn.addCredential', { authenticatorId, credential })
  }
}
