import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core'
import { findProgram, programs } from '../../scripts/services/programs.js'
import { temporaryFolder } from '../demo/start.js'

const all = process.env.CRUDAUTH_TEST_ALL === '1'

/** Path of Chromium in a full test run. Undefined otherwise: unit tests don't use a browser. */
export function chromiumPath(): string | undefined {
  if (!all) return undefined
  const path = process.env.TEST_CHROMIUM || findProgram(programs.chromium)
  if (!path) throw new Error('no Chromium was found, though everything should be tested')
  return path
}

const flags = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

/** Starts a browser with a temporary profile. It closes when the test ends. */
export async function openBrowser(t: TestContext, executablePath: string): Promise<Browser> {
  const browser = await chromium.launch({ executablePath, args: flags, timeout: 60_000 })
  t.after(() => browser.close())
  return browser
}

/**
 * One user on one device: a browser context with its own cookies.
 * Collects console errors and warnings, which include violations of the content security policy.
 */
export class Device {
  private constructor(
    readonly context: BrowserContext,
    readonly page: Page,
    /** Origin of the app under test. */
    private readonly origin: string,
    readonly problems: string[] = [],
  ) {
    page.setDefaultTimeout(20_000)
    page.on('console', (message) => {
      if (message.type() !== 'error' && message.type() !== 'warning') return
      const { url } = message.location()
      const isForeign = url !== '' && !url.startsWith(`${origin}/`)
      this.problems.push(isForeign ? `${message.text()} at ${url}` : message.text())
    })
    page.on('pageerror', (error) => this.problems.push(String(error)))
    page.on('requestfailed', (request) => {
      const [url, why] = [request.url(), request.failure()?.errorText]
      // The page asks for it in the background, and a test may leave the page meanwhile.
      if (url.endsWith('/passkeys/login/options') && why === 'net::ERR_ABORTED') return
      this.problems.push(`${url} failed: ${why}`)
    })
  }

  static async open(
    browser: Browser,
    url: string,
    options?: Parameters<Browser['newContext']>[0],
  ): Promise<Device> {
    const context = await browser.newContext(options)
    const device = new Device(context, await context.newPage(), new URL(url).origin)
    await context.exposeFunction('tellViolation', (what: string) =>
      device.problems.push(`content policy: ${what}`),
    )
    await context.addInitScript(
      'addEventListener("securitypolicyviolation", (e) => tellViolation(e.violatedDirective + " " + e.blockedURI))',
    )
    await device.page.goto(url)
    return device
  }

  /** Returns the window that a click opens, on the same device. */
  async opens(click: () => Promise<void>): Promise<Device> {
    const [page] = await Promise.all([this.context.waitForEvent('page'), click()])
    return new Device(this.context, page, this.origin, this.problems)
  }

  /** Returns the problems so far and clears them. */
  takeProblems(): string[] {
    return this.problems.splice(0)
  }

  async register(name: string, password: string): Promise<void> {
    await this.page.getByRole('tab', { name: 'Create account' }).click()
    await this.page.getByLabel('Email', { exact: true }).fill(`${name}@example.com`)
    await this.page.getByLabel('Username', { exact: true }).fill(name)
    await this.page.locator('#register').getByLabel('Password', { exact: true }).fill(password)
    await this.page.getByRole('button', { name: 'Create account' }).click()
    await this.says(/Almost there: a message to .* was sent/)
  }

  async signIn(name: string, password: string, { remember = false } = {}): Promise<void> {
    await this.page.getByRole('tab', { name: 'Sign in' }).click()
    await this.page.getByLabel('Email or username').fill(name)
    await this.page.locator('#login').getByLabel('Password', { exact: true }).fill(password)
    if (remember) await this.page.getByLabel('Remember me').check()
    await this.page.getByRole('button', { name: 'Sign in', exact: true }).click()
  }

  /** Waits for a status or error message, at the top, in a dialog or beside a field. */
  async says(text: RegExp): Promise<void> {
    const places = '[role=status], [role=alert], .field-error'
    await this.page.locator(places).filter({ hasText: text }).waitFor()
  }

  /** Waits for a level 1 heading. */
  async sees(heading: RegExp): Promise<void> {
    await this.page.getByRole('heading', { level: 1, name: heading }).waitFor()
  }

  /** The id of the focused element. */
  focused(): Promise<string> {
    return this.page.evaluate('document.activeElement.id')
  }

  /** By how many pixels the page is wider than the screen. */
  overflow(): Promise<number> {
    return this.page.evaluate('document.documentElement.scrollWidth - innerWidth')
  }
}

/** Saves screenshots in SCREENSHOT_FOLDER, or in a folder that is removed when the test ends. */
export function screenshotFolder(t: TestContext): (name: string) => string {
  const folder = process.env.SCREENSHOT_FOLDER || temporaryFolder(t)
  mkdirSync(folder, { recursive: true })
  return (name) => join(folder, `${name}.png`)
}
