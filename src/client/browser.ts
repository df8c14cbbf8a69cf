/** The parts of a browser that the client uses where they exist. Node has some of them. */
interface Browser {
  readonly location?: { readonly origin: string; readonly href: string; assign(url: string): void }
  readonly history?: {
    readonly state: unknown
    replaceState(state: unknown, unused: string, url: string): void
  }
  readonly document?: { readonly cookie: string }
  readonly navigator?: {
    readonly locks?: {
      request<T>(
        name: string,
        options: object,
        work: (lock: object | null) => Promise<T>,
      ): Promise<T>
    }
  }
  readonly BroadcastChannel?: new (
    name: string,
  ) => {
    onmessage: ((event: { data: unknown }) => void) | null
    postMessage(data: unknown): void
  }
}

export const browser = globalThis as unknown as Browser
