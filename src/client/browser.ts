/** A credential of WebAuthn. In older browsers `toJSON` is missing. */
export interface BrowserCredential {
  readonly id: string
  readonly type: string
  readonly response: Readonly<Record<string, unknown>> & { getTransports?(): string[] }
  toJSON(): object
}

/** The parts of a browser that the client uses where they exist. Node has some of them. */
interface Browser {
  readonly location?: { readonly origin: string; readonly href: string; assign(url: string): void }
  readonly history?: {
    readonly state: unknown
    replaceState(state: unknown, unused: string, url: string): void
  }
  readonly document?: { readonly cookie: string }
  readonly navigator: {
    /** Absent in Node, and in pages without HTTPS. */
    readonly credentials: {
      create(request: object): Promise<BrowserCredential>
      get(request: object): Promise<BrowserCredential>
    }
    readonly locks?: {
      request<T>(
        name: string,
        options: object,
        work: (lock: object | null) => Promise<T>,
      ): Promise<T>
    }
  }
  readonly PublicKeyCredential?: {
    parseCreationOptionsFromJSON?(options: object): object
    parseRequestOptionsFromJSON?(options: object): object
    isConditionalMediationAvailable?(): Promise<boolean>
  }
  readonly BroadcastChannel?: new (
    name: string,
  ) => {
    onmessage: ((event: { data: unknown }) => void) | null
    postMessage(data: unknown): void
  }
}

export const browser = globalThis as unknown as Browser
